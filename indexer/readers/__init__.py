"""Reading articles: one file a format, one stream for all."""

from indexer.readers.outcome import Skipped
from indexer.readers.sources import SUFFIXES, read_sources

__all__ = ["SUFFIXES", "Skipped", "read_sources"]

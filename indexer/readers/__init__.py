"""Reading articles: one file a format, one stream for all."""

from indexer.readers.outcome import ReadProgress, Skipped
from indexer.readers.sources import SUFFIXES, read_sources

__all__ = ["SUFFIXES", "ReadProgress", "Skipped", "read_sources"]

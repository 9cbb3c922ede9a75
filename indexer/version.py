"""The version of Concord, from the installed distribution."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["VERSION"]

try:
    VERSION = version("concord-search")
except PackageNotFoundError:  # run from a source tree that was not installed
    VERSION = "0.0.0"

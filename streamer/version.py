"""The version, read by the build and published in the status message."""

__version__ = "0.1.0"

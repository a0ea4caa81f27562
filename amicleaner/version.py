"""The version of this package; only here."""

__version__ = "1.0.0"

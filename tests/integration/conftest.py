"""The fixtures of a real ledger, for these tests."""

from commands import cli
from desk import desk, ledger, loaded, postgres, settings, write_csv

__all__ = ["cli", "desk", "ledger", "loaded", "postgres", "settings", "write_csv"]

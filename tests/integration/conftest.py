"""The fixtures of a real ledger, for these tests."""

from commands import cli
from desk import desk, ledger, loaded, postgres, settings, write_csv
from posting import client

__all__ = ["cli", "client", "desk", "ledger", "loaded", "postgres", "settings", "write_csv"]

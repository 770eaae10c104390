"""The fixtures of a real ledger, for these tests."""

from desk import desk, ledger, loaded, postgres, settings, write_csv

__all__ = ["desk", "ledger", "loaded", "postgres", "settings", "write_csv"]

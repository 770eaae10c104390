"""The fixtures of a real ledger and a real Prefect server, for these tests."""

from desk import desk, ledger, loaded, postgres, settings, write_csv
from prefect_api import server

__all__ = ["desk", "ledger", "loaded", "postgres", "server", "settings", "write_csv"]

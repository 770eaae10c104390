"""The ledger: everything that was captured, decided and done, in PostgreSQL.

``database`` opens it, ``bulk`` moves frames in and out, ``batches`` claims work under leases,
``people`` knows who is who, ``records`` writes what a stage decided, ``reports`` reads for people and ``metrics``
for a monitoring system, ``verify`` checks the invariants. Every query is in this package; no decision is.
"""

from leadgate.ledger.database import Ledger, open_ledger
from leadgate.ledger.errors import LedgerError, NoLedgerError

__all__ = ["Ledger", "LedgerError", "NoLedgerError", "open_ledger"]

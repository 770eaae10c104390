"""The ledger: everything that was captured, decided and done, in PostgreSQL.

``database`` opens it, ``bulk`` moves frames in and out, ``batches`` claims work under leases,
``people`` knows who is who, ``records`` writes what a stage decided, ``reports`` reads for people, ``verify``
checks the invariants. Every query is in this package; no decision is.
"""

from leadgate.ledger.database import Ledger, LedgerError, open_ledger

__all__ = ["Ledger", "LedgerError", "open_ledger"]

"""The ledger: everything that was captured, decided and done, in PostgreSQL.

Every query is in this package; no decision is. Four kinds of modules:

- one an **entity**, the only one that writes its table: ``signals``, ``activities``, ``leads``, ``identities``,
  ``match_keys``, ``journeys``, ``handoffs``, ``batches``, ``qualifications``, ``assignments``, ``pauses``, ``pools``,
  ``work_items``, ``breakers``, ``gates``, ``actions``, ``outbox``, ``playbook_versions``,
  ``playbook_activations``, ``requests``, ``consumers``, ``hosts``, ``keys``, ``accounts``, ``web_sessions``,
  ``sign_in_links``;
- what **people do**, each one transaction over several entities: ``reruns``, ``ownership``, ``reviews``, ``joins``,
  ``reassignments``, ``invitations``, ``undo`` with ``undo_effects``. What a stage does is composed in ``tasks``;
- what is **read**: ``lead_history`` and ``lead_frames``, ``reports`` and ``figures``, ``metrics``, ``verify``;
- how it is **reached**: ``database``, ``embedded``, ``bulk``, ``leases``, ``faults``, ``races`` and the rest.
"""

from leadgate.ledger.database import Ledger, open_ledger
from leadgate.ledger.errors import LedgerError, NoLedgerError

__all__ = ["Ledger", "LedgerError", "NoLedgerError", "open_ledger"]

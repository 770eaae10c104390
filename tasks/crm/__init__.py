"""CRMs: reading what changed in them, and writing to them what became of leads.

Belongs here: the order of steps between the ledger and a CRM. ``sync`` reads what changed, kind by kind (``leads``,
``outcomes``, ``activities``, with ``owner_changes`` and ``deletions``); ``delivery`` takes what waits in the outbox;
``write`` writes it; ``check`` and ``setup`` come before the first write, ``reconcile`` after it. Does not belong here:
what is written for one lead (``leadgate.crm``), or a vendor's addresses, formats and limits (``leadgate.connectors``).
"""

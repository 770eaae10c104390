"""Records: opportunities, renewals and expansions, which go through the same six stages as leads.

Belongs here: what a record of each kind carries (``fields``), what an update of one means (a module for each kind),
and figures over records. Does not belong here: the playbook's section of a kind (``playbook.kinds``), keeping records
(``ledger``), or the stages (``tasks``).
"""

"""Records: opportunities, renewals and expansions, and what is decided about them.

Belongs here: pure decisions and figures over records. Does not belong here: keeping records (``leadgate.ledger``).
"""

"""The pages, one module each: its addresses, and what its template is given.

Belongs here: reading what was asked for, calling the ledger, and answering. Does not belong here: HTML (``templates``).
"""

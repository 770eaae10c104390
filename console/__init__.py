"""Where people come in: the command line.

Belongs here: options, words, tables, exit codes. Does not belong here: any query (``leadgate.ledger``), any
decision, and anything a script could not get with ``--json``.
"""

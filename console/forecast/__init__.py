"""The forecast as people read it: what is asked for, figures and movements in words, the command.

Belongs here: what the command and the console's page have in common. Does not belong here: the arithmetic
(``leadgate.records.forecast``), or the queries (``ledger.forecasts``).
"""

"""Replay: journeys that were decided are decided again, under the recorded playbook or another one.

Belongs here: reading what the ledger kept of decisions, deciding again, following a journey through its stages, and
running on from an earlier state. Does not belong here: comparing the results (``leadgate.replay``), deciding itself
(the stages), or a page or a command (``console``). Nothing here writes.
"""

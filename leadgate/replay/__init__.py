"""Replay: what changes where decisions are made again under another playbook.

Belongs here: comparing where journeys end, and the limits on a change; pure. Does not belong here: deciding again
(``tasks.replay``), or words for people (``console``).
"""

"""What a replay found, for people: sentences and tables of a terminal, JSON, and a page.

Belongs here: words and forms. Does not belong here: replaying (``tasks.replay``), or comparing (``leadgate.replay``).
"""

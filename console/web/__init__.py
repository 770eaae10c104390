"""The web console: pages on which reps act, reviewers decide, managers see, and operators look after what runs.

Belongs here: the application (``app``), who is signed in (``visitors``), what every request must pass (``guard``), and
a page in each module of ``pages``. Does not belong here: who may do what (``leadgate.actors``), what an action does
(``leadgate.ledger``, ``tasks``), or the queries of a page (``leadgate.ledger``).
"""

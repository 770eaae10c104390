"""The ground: what Leadgate knows and keeps.

Belongs here: pure decisions (``rules``, ``scoring``, ``routing``, ``hours``, ``normalise``), the
tables and the ledger, the playbook, settings, and one file per outside system under ``connectors``.
Does not belong here: Prefect, Great Expectations, anything a person types or clicks.
"""

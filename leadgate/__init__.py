"""The ground: what Leadgate knows and keeps.

Belongs here: pure decisions (``expressions``, ``mapping``, ``matching``, ``scoring``, ``assignment``, ``sla``), the
tables and the ledger, the playbook, settings, and one file per outside system under ``connectors``.
Does not belong here: Prefect, Great Expectations, anything a person types or clicks.
"""


def __getattr__(name: str) -> str:
    """``__version__``, looked up when it is asked for: finding it takes as long as half of a command's start."""
    if name == "__version__":
        from importlib.metadata import version

        return version("leadgate")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

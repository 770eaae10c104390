"""The business process, read aloud: Prefect flows over the stages in ``tasks``.

Belongs here: flows, the Prefect server they talk to, and what they publish. Does not belong here: anything
worth a unit test; that is a plain function further down.
"""

"""The six stages of records: opportunities, renewals and expansions.

Belongs here: what is different from leads at each stage. Deciding who owns a record, and what its owner has to do by
when, is the work of the stages of leads (``tasks.assignment``, ``tasks.follow_up``) by the rules of the record's kind.
Does not belong here: what an update means (``leadgate.records``), or the protocol of a stage (``tasks.handoff``).
"""

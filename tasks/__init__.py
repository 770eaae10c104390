"""What each stage loads, decides and stores; ``handoff`` is the one protocol they all follow.

Belongs here: one file a stage, and the Prefect task around a stage (``stage_task``). A task owns a
transaction, a retry boundary or an external call; anything else is a plain function called by one.
Does not belong here: the order of stages, which is the flows'.
"""

"""What a lead is in a CRM: the values that are written, and whether they stand when they are read back. Pure.

Belongs here: facts about a lead in words, values by the playbook's policies, comparison. Does not belong here: reading
facts from the ledger (``ledger.crm_facts``), or sending anything (``connectors``, ``tasks.crm.delivery``).
"""

"""``when:`` expressions and patterns of the playbook: which syntax is allowed, what an expression reads and costs, and
evaluating expressions within limits of time and memory.
"""

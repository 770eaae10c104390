"""Reading single values: one kind of value a file, each a set of pure functions from text to an answer.

Belongs here: what a cell can mean (an address, a phone number, a country, a date, a yes). No function
here raises on any text, reads a clock, or opens a connection; every parser looks at a bounded length.
Does not belong here: frames and the playbook's choice of fields (``normalise``).

A ``problem`` says in plain words what is wrong and never quotes a personal value: problems end up in
append-only rows, values do not.
"""

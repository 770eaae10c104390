"""The poison hunt: values of every kind and length, and errors of every class, among leads that are good.

``values`` makes values, ``rows`` puts them into the columns of a playbook's sources, ``doors`` captures them by file
and by HTTP, ``consumer`` takes leads through the stages in a process of its own, ``errors`` raises errors of
PostgreSQL, ``hunt`` runs rounds and judges them, ``shrink`` finds the smallest example of what went wrong.
"""

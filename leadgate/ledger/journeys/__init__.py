"""The table ``journey``: every statement that writes it.

``transitions`` is the one table of what may become of a journey; ``starting`` writes new ones, ``stage_moves`` what a
stage of a batch decided, ``person_moves`` what a person did, ``claiming`` which batch works on them, and ``locking``
locks them and raises their versions. Nothing outside this package writes the table; a test reads the source for that.
"""

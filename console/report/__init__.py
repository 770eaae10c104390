"""``leadgate report``: what managers and reps see of it, as text, JSON, CSV files, or one page of HTML.

``command`` is the command; a file for each section says which tables it has, and the chart of each;
``text``, ``files`` and ``page`` write them out. What is counted is in ``leadgate.ledger.figures``, and the
arithmetic of shares, intervals and bands in ``leadgate.figures``.
"""

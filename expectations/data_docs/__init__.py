"""Data Docs: what Great Expectations tells of suites and validations, as pages.

``site.build_pages`` makes all pages. Great Expectations' renderers say what is on a page (``documents``); how it looks
is ours (``view``, ``templates``): pages of theirs have scripts within, and fetch others from many servers.
"""

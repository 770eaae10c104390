"""The environment of HTML templates: every value is written as text, and one that is missing is an error.

Belongs here: what the file of a report and the pages of the console share. Does not belong here: a template, or the
filters of one of them.
"""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from console.redaction import sanitise


def build_environment(*packages: str) -> Environment:
    """Templates of the folders ``templates`` of ``packages``; the first that has one counts."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_write_as_text,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,  # they belong to the program; looking at each file again for each page takes time
    )


def _write_as_text(value: object) -> object:
    """``value`` as one line that does nothing to a reader, nothing for None; autoescape does the rest. Markup stays
    what it is."""
    if type(value) is str and value.isprintable():  # most values of a page, which has thousands; Markup is another type
        return value
    return value if isinstance(value, Markup) else "" if value is None else sanitise(value)

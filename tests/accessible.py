"""What WCAG 2 AA forbids on a page in Chromium, found by axe-core.

Belongs here: asking it. Does not belong here: the browser (``browser``), or the pages (the tests).

Most of the time of asking is to load a page and axe-core into it, and to send its answer: so a page is looked at in both
colour schemes at once, and what it finds right is not sent.
"""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe

_ALL: Final = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
#: What may differ when colours alone do: the rules that axe-core puts into its category of colour.
_OF_COLOUR: Final = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
_ASK: Final = """async rules => {
  const found = await axe.run({ runOnly: rules, resultTypes: ["violations"] });
  return found.violations.map(rule => [rule.id, rule.nodes.slice(0, 3).map(node => node.html.slice(0, 200))]);
}"""


def find_violations(page: Any) -> list[Any]:
    """The rules that are broken, each with the first elements that break it: by day, and then by night, for which the
    style sheets have colours of their own and nothing else."""
    page.emulate_media(color_scheme="light")
    page.evaluate(Axe().axe_script)
    by_day = page.evaluate(_ASK, _ALL)
    page.emulate_media(color_scheme="dark")
    return [*by_day, *page.evaluate(_ASK, _OF_COLOUR)]

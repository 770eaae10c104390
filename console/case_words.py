"""The results of a playbook's cases as text (a line for each case that fails), as JSON, and as a file for CI servers.

Belongs here: words, JSON and JUnit's XML. Does not belong here: trying cases (``tasks.playbook_cases``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from console.redaction import sanitise
from console.screen import build_console
from leadgate.counting import format_count
from tasks.case_results import TriedCase
from tasks.playbook_cases import describe_failed

_LONGEST: Final = 2_000  # characters of what is said of a case
#: What XML cannot hold, not even escaped (XML 1.0, 2.2).
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def show_cases(tried: Sequence[TriedCase]) -> None:
    """A line for each case that fails, and how many there are."""
    console = build_console()
    for each in tried:
        if each.failed:
            line = f"{each.file}:{each.line}: {each.name}: {describe_mismatches(each)}"
            console.print(sanitise(line, _LONGEST), soft_wrap=True)
    console.print(describe_result(tried), soft_wrap=True)


def describe_result(tried: Sequence[TriedCase]) -> str:
    """Such as "14 cases: all as expected."."""
    if any(each.failed for each in tried):
        return f"{describe_failed(tried)}."
    return f"{format_count(len(tried), 'case', 'cases')}: {'as' if len(tried) == 1 else 'all as'} expected."


def describe_mismatches(case: TriedCase) -> str:
    return "; ".join(map(str, case.mismatches))


def build_case_json(tried: Sequence[TriedCase]) -> dict[str, Any]:
    return {
        "cases": len(tried),
        "failed": sum(each.failed for each in tried),
        "results": [
            {
                "name": each.name,
                "file": each.file,
                "line": each.line,
                "ok": not each.failed,
                "mismatches": [
                    {"key": found.key, "line": found.line, "expected": found.expected, "found": found.found}
                    for found in each.mismatches
                ],
            }
            for each in tried
        ],
    }


def write_junit(tried: Sequence[TriedCase], file: Path) -> None:
    """The form that CI servers read: a suite with a test for each case. Raises ``OSError``."""
    failed = str(sum(each.failed for each in tried))
    suite = Element("testsuite", name="playbook", tests=str(len(tried)), failures=failed, errors="0")
    for each in tried:
        test = SubElement(suite, "testcase", name=_clean_for_xml(each.name), classname="playbook")
        test.set("file", _clean_for_xml(each.file))
        test.set("line", str(each.line))
        if each.failed:
            said = _clean_for_xml(describe_mismatches(each))
            SubElement(test, "failure", message=said).text = said
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _clean_for_xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", sanitise(text, _LONGEST))

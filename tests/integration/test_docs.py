"""The documentation is complete and true, as far as that is cheap to check against the code."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from console.cli import app
from console.cli.commands import COMMANDS, Entry, Group, import_function
from expectations import PROMISES, list_promise_names
from leadgate import models, playbook
from leadgate.ledger.verify import INVARIANTS
from leadgate.playbook import KindSection, Part, Playbook
from leadgate.playbook.cases import CaseFile
from leadgate.playbook.check import check
from leadgate.playbook.check.added_expectations import EXPECTATIONS
from leadgate.settings import Settings
from leadgate.vocabulary import STATUSES, GateName
from tasks.playbook_cases import try_cases

ROOT = Path(__file__).parents[2]
PAGES = {page.name: page.read_text(encoding="utf-8") for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))}

_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


# --- playbook.md ------------------------------------------------------------------------------------------


def keys(part: type[Part], above: str = "") -> Iterator[str]:
    """Every key of a part of the playbook and of the parts in it, as the page writes its path. What the sections of
    all kinds have is written once, and its parts are those of leads."""
    for name, field in part.model_fields.items():
        if issubclass(part, KindSection) and name in KindSection.model_fields:
            yield f"kinds.KIND.{name}"
            continue
        yield above + name
        origin: object = typing.get_origin(field.annotation)
        each = "[]" if origin is tuple else ".NAME" if origin is dict else ""
        for inner in _parts(field.annotation):
            yield from keys(inner, f"{above}{name}{each}.")


def _parts(annotation: object) -> list[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [part for argument in typing.get_args(annotation) for part in _parts(argument)]


def test_the_page_about_the_playbook_has_every_key_and_no_other() -> None:
    described = set(re.findall(r"^\| `([\w.\[\]]+)` \|", PAGES["playbook.md"], re.MULTILINE))

    assert set(keys(Playbook)) <= described
    assert described <= set(keys(Playbook))


def test_its_examples_together_are_a_sound_playbook(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "accounts.csv").write_text(
        "domain,name,owner,employees,website,parent\nacme.example,Acme,anna,40,,\n"
    )
    text = "".join(_YAML.findall(PAGES["playbook.md"]))

    problems = check(playbook.parse(text, path=tmp_path / "playbook.yaml"), promises=list_promise_names())

    assert [str(problem) for problem in problems] == []


def test_it_lists_the_expectations_that_a_playbook_may_add() -> None:
    listed = PAGES["playbook.md"].rpartition("Expectations that a playbook may add")[2]

    assert set(re.findall(r"`(expect_\w+)`", listed)) == set(EXPECTATIONS)


# --- cases.md ---------------------------------------------------------------------------------------------


def test_the_page_about_cases_has_every_key_and_its_example_holds(tmp_path: Path) -> None:
    described = re.findall(r"^\| `([\w.\[\]]+)` \|", PAGES["cases.md"], re.MULTILINE)
    written = {key for key in keys(CaseFile) if not any(key.startswith(f"{known}.") for known in described)}

    assert {*described, "cases", "cases[].expect", "records", "records[].expect"} == written
    playbook.copy_default(tmp_path)
    (tmp_path / "cases.yaml").write_text("".join(_YAML.findall(PAGES["cases.md"])), encoding="utf-8")
    tried = try_cases(playbook.load(tmp_path / "playbook.yaml"))
    assert [each.mismatches for each in tried] == [()] * 5


# --- gates.md and ledger.md -------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", PROMISES)
def test_the_page_about_gates_has_every_promise(gate: GateName) -> None:
    section = PAGES["gates.md"].partition(f"\n### {gate}\n")[2].partition("\n#")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]

    assert rows == [f"| `{p.name}` | {p.severity} | `{p.reason}` | {p.words} | {p.broken} |" for p in PROMISES[gate]]


def test_the_page_about_the_ledger_has_every_table_status_and_invariant() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGES["ledger.md"], re.MULTILINE))
    invariants = re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", PAGES["ledger.md"], re.MULTILINE)

    assert rows == {*SQLModel.metadata.tables, *STATUSES, *(i.name for i in INVARIANTS)}
    assert {(i.name, i.words) for i in INVARIANTS} <= set(invariants)


def test_the_page_about_the_ledger_says_of_each_table_how_it_is_kept_and_what_can_be_erased() -> None:
    kept = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", PAGES["ledger.md"], re.MULTILINE))

    for table in SQLModel.metadata.sorted_tables:
        personal = [column.name for column in table.columns if column.info == models.PERSONAL]
        assert ("erasable" in kept[table.name]) == bool(personal), table.name
        assert not table.info.get("append_only") or kept[table.name].startswith("appended"), table.name
        named = re.findall(r"`(\w+)`", kept[table.name].split("erasable")[0]) if personal else []
        if named and not kept[table.name].startswith("appended; all but"):
            assert set(named) == set(personal), table.name


# --- operations.md ----------------------------------------------------------------------------------------


def test_the_page_about_operations_has_every_variable() -> None:
    described = set(re.findall(r"^\| `(LEADGATE_\w+)` \|", PAGES["operations.md"], re.MULTILINE))

    assert described == {f"LEADGATE_{field.name.upper()}" for field in fields(Settings)}
    assert f"| {Settings.batch_limit} |" in PAGES["operations.md"]


def test_it_has_the_exit_codes_that_the_program_tells() -> None:
    described = re.findall(r"^\| (\d+) \| ", PAGES["operations.md"], re.MULTILINE)

    assert described == re.findall(r"(\d+) [a-zP]", app.info.epilog or "")


# --- all pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_a_page_names_exist_with_their_options(page: str) -> None:
    known = {name: import_function(name, entry) for name, entry in COMMANDS.items() if isinstance(entry, Entry)}
    for name, rest in re.findall(r"\bleadgate (?:--\w+ \S+ )?([a-z]+)((?: [^`\n]*)?)", _code(PAGES[page])):
        if name == "help" or isinstance(COMMANDS.get(name), Group):
            continue
        assert name in known, f"{page} names leadgate {name}"
        options = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", rest))
        parameters = {p.rstrip("_").replace("_", "-") for p in known[name].__annotations__}
        assert options <= parameters | {"set", "for", "playbook"}, f"{page}: leadgate {name}{rest}"


def _code(text: str) -> str:
    """What a page prints as code: blocks, and words between backticks, a line each."""
    return "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = ROOT if (ROOT / page).exists() else ROOT / "docs"
    for target, heading in _LINK.findall(PAGES[page]):
        file = folder / target if target else folder / page
        assert file.exists(), f"{page} links to {target}"
        if heading:
            headings = [
                re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in _HEADING.findall(PAGES[file.name])
            ]
            assert heading in headings, f"{page} links to {target}#{heading}"


def test_paths_that_a_page_names_exist() -> None:
    for page, text in PAGES.items():
        for path in re.findall(r"`((?:leadgate|tasks|flows|console|expectations|tests|examples|docs)/[\w./]*)`", text):
            assert (ROOT / path).exists(), f"{page} names {path}"


# --- threats.md -------------------------------------------------------------------------------------------


def test_every_promise_about_a_door_names_tests_that_exist() -> None:
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    promises = re.findall(r"^\| (.+) \| (.+) \|$", PAGES["threats.md"], re.MULTILINE)
    rows = [(promise, tests) for promise, tests in promises if promise not in ("promise", "---")]

    assert len(rows) > 30
    for promise, tests in rows:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named, f"no test: {promise}"
        assert set(named) <= defined, f"{promise}: {set(named) - defined}"


# --- glossary.md ------------------------------------------------------------------------------------------

GLOSSARY = set(re.findall(r"^\| ([\w-]+(?: \w+)?) \|", PAGES["glossary.md"], re.MULTILINE)) - {"word"}
#: Words of names that mean what they mean everywhere, so the glossary leaves them out.
ORDINARY = {
    "day", "deletion", "deliver", "explain", "file", "hash", "header", "holder", "host", "hour", "key", "listen", "missed", "name", "queue",
    "reason", "reject", "report", "request", "result", "resume", "reused", "run", "secret", "state", "status", "summary",
    "transfer", "undo", "unassign", "unjoin", "user", "verify", "version", "wait", "warned", "web", "worker",
}  # fmt: skip
#: What the glossary calls by another form of the word.
FORMS = {
    "away": "absence", "back": "absence",
    "accept": "owner", "try": "trial", "exception": "work item", "lookalike": "match", "matching": "match",
    "reassign": "reassignment", "routing": "route", "scoring": "score",
}  # fmt: skip
#: Names that modules had, each of which needed an explanation.
RETIRED = {
    "suits", "seats", "roster", "turns", "decided", "telling", "origin", "proof", "pursuit", "pace", "warm",
    "giving_up", "chasing", "parking", "by_hand", "people", "owner_actions", "due",
}  # fmt: skip


def test_tables_commands_and_the_playbooks_parts_use_the_words_of_the_glossary() -> None:
    commands = COMMANDS
    names = {*SQLModel.metadata.tables, *commands, *Playbook.model_fields}
    known = {word.lower() for entry in GLOSSARY for word in (*entry.split(" "), *entry.split("-"), entry)}
    singular = {
        re.sub(r"ies$", "y", word) if word.endswith("ies") else word.removesuffix("s") for word in known
    } | known
    for name in sorted(names):
        for word in re.split("[_-]", name):
            base = {word, word.removesuffix("s"), re.sub(r"ies$", "y", word)}
            assert base & (singular | ORDINARY | set(FORMS)), f"{name}: {word!r} is not in docs/glossary.md"
    assert set(FORMS.values()) <= GLOSSARY


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    entries = [(name, entry) for name, entry in COMMANDS.items() if isinstance(entry, Entry)]
    for group in COMMANDS.values():
        if isinstance(group, Group):
            entries += group.commands.items()
    for name, entry in entries:
        documented = inspect.getdoc(import_function(name, entry)) or ""
        assert " ".join(documented.split("\n\n")[0].split()) == entry.summary


def test_no_module_has_a_name_that_was_retired() -> None:
    floors = ("console", "flows", "tasks", "expectations", "leadgate")
    modules = {path.stem for floor in floors for path in (ROOT / floor).rglob("*.py")}
    assert modules & RETIRED == set()

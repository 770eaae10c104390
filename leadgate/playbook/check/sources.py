"""Fields, sources, matching and enrichment: names that exist, files that are there.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Final

from leadgate import fields, plug_ins
from leadgate.nearest import find_nearest, propose
from leadgate.playbook import (
    BUILT_IN,
    MOST_ACCOUNTS_BYTES,
    SOURCE_KINDS,
    AccountsFile,
    ExpectedSignals,
    HttpProvider,
    InstalledProvider,
    Source,
)
from leadgate.playbook.check.checker import ASSIGNED, Checker, Found
from leadgate.playbook.yaml_text import Path
from leadgate.records import fields as record_fields
from leadgate.regular_files import open_text_below
from leadgate.values.url_templates import parse_template
from leadgate.vocabulary import StageName

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=30)
_COLUMN_SHOWN: Final = 40  # characters of a column's name that a message proposes


def check_own_fields(checker: Checker) -> Found:
    taken = checker.playbook.model_copy(update={"fields": {}}).columns_at(StageName.FOLLOW_UP)
    of_stages = fields.OF_STAGES if checker.section is None else fields.OF_STAGES | record_fields.OF_STAGES
    for name in checker.custom:
        if name in taken or name in ASSIGNED or name in of_stages:
            yield checker.at(("fields", name), f"{name!r} is a name that Leadgate uses itself; choose another")
    for header, target in checker.playbook.headers.items():
        if target:  # an empty one makes an attribute of the column
            yield from checker.check_field(("headers", header), target)
    for position, name in enumerate(checker.playbook.validation.required):
        yield from checker.check_field(("validation", "required", position), name)
    yield from checker.check_country(("validation", "default_country"), checker.playbook.validation.default_country)


def check_sources(checker: Checker) -> Found:
    for name, source in checker.playbook.sources.items():
        here: Path = ("sources", name)
        for column, target in source.mapping.items():
            if source.kind in SOURCE_KINDS:
                if target:
                    yield from checker.check_field((*here, "mapping", column), target, SOURCE_KINDS[source.kind])
            elif target not in fields.ACTIVITY_FIELDS:
                message = f"{target!r} is not a field of an activity; {propose(target, fields.ACTIVITY_FIELDS)}"
                yield checker.at((*here, "mapping", column), message)
        if source.default_country is not None:
            yield from checker.check_country((*here, "default_country"), source.default_country)
        if source.expects is not None:
            yield from _check_expects(checker, (*here, "expects"), source, source.expects)


def _check_expects(checker: Checker, here: Path, source: Source, expects: ExpectedSignals) -> Found:
    """What is expected can be counted."""
    if expects.hours is not None:
        yield from checker.check_known((*here, "hours"), "working hours", expects.hours, checker.playbook.hours)
    if not _SHORTEST <= expects.within <= _LONGEST:
        yield checker.at((*here, "within"), "is a minute or more, and 30 days or less")
    if source.kind not in SOURCE_KINDS:
        yield checker.at(here, "signals that start journeys are counted alone, and activities start none")


def check_matching(checker: Checker) -> Found:
    """CRM ids come from sources of leads, each of one CRM."""
    leads = {name for name, source in checker.playbook.sources.items() if source.kind == "leads"}
    taken: dict[str, str] = {}
    for crm, names in checker.playbook.matching.crm_ids.items():
        for position, name in enumerate(names):
            here: Path = ("matching", "crm_ids", crm, position)
            yield from checker.check_known(here, "source of leads", name, leads)
            if taken.setdefault(name, crm) != crm:
                yield checker.at(here, f"the ids of {name!r} are those of {taken[name]!r} already; name it once")


def check_enrichment(checker: Checker) -> Found:
    yield from checker.check_unique(
        ("enrichment", "providers"), [p.name or p.type for p in checker.playbook.enrichment.providers]
    )
    known = fields.list_enrichable(checker.custom)
    for position, provider in enumerate(checker.playbook.enrichment.providers):
        here: Path = ("enrichment", "providers", position)
        if isinstance(provider, InstalledProvider):
            names = {*BUILT_IN, *plug_ins.list_names(plug_ins.PROVIDERS)}
            yield from checker.check_known((*here, "type"), "type of provider", provider.type, names)
        elif isinstance(provider, HttpProvider):
            yield from _check_service(checker, here, provider)
        if not isinstance(provider, (AccountsFile, HttpProvider)):
            continue
        for field in provider.fields:
            if field not in known:
                message = f"{field!r} is no field that a provider can fill; {propose(field, known)}"
                yield checker.at((*here, "fields", field), message)
        if isinstance(provider, HttpProvider):
            continue
        for field in provider.inherit:
            yield from checker.check_known((*here, "inherit"), "field of this provider", field, provider.fields)
        if provider.inherit and provider.parent is None:
            yield checker.at((*here, "inherit"), "nothing says who the parent is: add `parent`, the column that does")
        if provider.shown_from > provider.alike:
            message = f"is above alike ({provider.alike}), so a match would be hidden as a candidate; lower it"
            yield checker.at((*here, "shown_from"), message)
        yield from _check_accounts_file(checker, here, provider)


def _check_service(checker: Checker, here: Path, provider: HttpProvider) -> Found:
    """A service is asked by fields that leads have by then; what is personal in a request is worth knowing."""
    template = parse_template(provider.url)
    known = fields.list_askable(checker.custom)
    for field in template.fields:
        if field not in known:
            message = f"{field!r} is no field that a service can be asked by; {propose(field, known)}"
            yield checker.at((*here, "url"), message)
    if personal := sorted(fields.PERSONAL & set(template.fields)):
        message = f"sends personal values of each lead ({', '.join(personal)}) to {template.host}"
        yield checker.at((*here, "url"), message, note=True)


def _check_accounts_file(checker: Checker, here: Path, provider: AccountsFile) -> Found:
    name = repr(str(checker.folder / provider.path))
    try:
        with open_text_below(checker.folder, provider.path, max_bytes=MOST_ACCOUNTS_BYTES) as file:
            header = next(csv.reader(file), [])
    except FileNotFoundError:
        yield checker.at((*here, "path"), f"the accounts file {name} does not exist; put it there or correct the path")
        return
    except OSError as error:
        yield checker.at((*here, "path"), f"the accounts file {name} cannot be read: it {error.strerror}")
        return
    except (UnicodeDecodeError, csv.Error):  # whose words quote the file, which may be another than was meant
        yield checker.at((*here, "path"), f"the accounts file {name} is not a CSV file in UTF-8; save it as one")
        return
    wanted = [((*here, "domain"), provider.domain)]
    named = {"website": provider.website, "company": provider.company, "parent": provider.parent}
    wanted += [((*here, key), column) for key, column in named.items() if column is not None]
    wanted += [((*here, "fields", field), column) for field, column in provider.fields.items()]
    for where, column in wanted:
        if column not in header:
            meant = find_nearest(
                column, header
            )  # never the other columns: a wrong file's first line is nobody's business
            hint = f"did you mean {meant!r}?" if meant and len(meant) <= _COLUMN_SHOWN else "name one that is there"
            yield checker.at(where, f"{provider.path} has no column {column!r}; {hint}")

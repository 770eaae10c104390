"""CRMs: connections that can work, facts that exist, words that are translated to something.

Belongs here: what must fit together in this part of a playbook, without asking the CRM.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from string import Formatter
from typing import Final

from leadgate import plug_ins
from leadgate.nearest import propose
from leadgate.playbook.check.addresses import find_address_fault
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.crm import (
    CRM_FIELD_NAME,
    CRM_TYPES,
    FACTS,
    RECORD_SOURCES,
    CrmConnection,
    CrmDealReads,
    CrmRecordReads,
)
from leadgate.playbook.yaml_text import Path
from leadgate.source_secrets import PREFIX
from leadgate.vocabulary import JourneyStatus, QualifiedAs, StageName

#: The keys of ``crm[].reads`` for records of their own.
_RECORD_KEYS: Final = {"opportunity": "opportunities", "contract": "contracts"}
#: The facts that have one of a few words, and these.
_WORDS: Final = {
    "status": tuple(status.value for status in JourneyStatus),
    "qualified_as": tuple(verdict.value for verdict in QualifiedAs),
    "fit_grade": tuple("ABCD"),
}
#: The vendors whose webhooks name the records that changed, without their values.
CHANGE_AUTHS: Final = frozenset({"hubspot"})


def check_crm(checker: Checker) -> Found:
    connections = checker.playbook.crm
    yield from checker.check_unique(("crm",), [each.name for each in connections])
    for position, connection in enumerate(connections):
        here: Path = ("crm", position)
        yield from _check_type(checker, here, connection)
        yield from _check_address(checker, here, connection)
        yield from _check_credentials(checker, here, connection)
        yield from _check_writes(checker, here, connection)
        yield from _check_texts(checker, here, connection)
        yield from _check_reads(checker, here, connection)
    names = {each.name for each in connections}
    for position, rep in enumerate(checker.playbook.reps):
        for name in rep.crm_ids:
            yield from checker.check_known(("reps", position, "crm_ids", name), "CRM", name, names)
    yield from _check_owners(checker)
    read = [(path, source) for at, each in enumerate(connections) for path, source in _list_sources(at, each)]
    for place, (path, source) in enumerate(read):
        if source in [other for _, other in read[:place]]:
            message = f"{source} is read from another CRM already; records of two have the same ids"
            yield checker.at(path, message)
    told = [(at, each.reads.webhooks) for at, each in enumerate(connections) if each.reads and each.reads.webhooks]
    for place, (position, source) in enumerate(told):
        if source in [other for _, other in told[:place]]:
            message = f"{source} has the webhooks of another CRM already; each account needs a source of its own"
            yield checker.at(("crm", position, "reads", "webhooks"), message)
    yield from _check_followed(checker, {source for _, source in told})


def _list_sources(position: int, connection: CrmConnection) -> Iterator[tuple[Path, str]]:
    """The sources whose signals the records of this connection are."""
    here: Path = ("crm", position, "reads")
    if connection.reads is not None and connection.reads.source is not None:
        yield (*here, "source"), connection.reads.source
    if connection.reads is not None:
        for kind, reads in connection.reads.records.items():
            yield (*here, _RECORD_KEYS[kind], "source"), reads.source


def _check_followed(checker: Checker, followed: Collection[str]) -> Found:
    """What webhooks tell is read by somebody, where there is somebody."""
    types = {each.type for each in checker.playbook.crm if each.reads is not None}
    for name, source in checker.playbook.sources.items():
        if source.http is not None and source.http.auth in types & CHANGE_AUTHS and name not in followed:
            message = f"nobody reads the records that it names; add crm[].reads.webhooks: {name}"
            yield checker.at(("sources", name, "http"), message, note=True)


def _check_type(checker: Checker, here: Path, connection: CrmConnection) -> Found:
    if connection.type in CRM_TYPES:
        options = CRM_TYPES[connection.type].options
        for name in connection.options:
            if name not in options:
                yield checker.at((*here, "options", name), f"unknown option {name!r}; {propose(name, options)}")
        return
    installed = plug_ins.list_names(plug_ins.CONNECTORS)
    if connection.type not in installed:
        known = propose(connection.type, {*CRM_TYPES, *installed})
        yield checker.at((*here, "type"), f"no connector is called {connection.type!r}; {known}")
    for key, value in (("url", connection.url), ("key_field", connection.key_field)):
        if value is None:
            yield checker.at((*here, key), f"{connection.type} has none by default; add {key}")


def _check_address(checker: Checker, here: Path, connection: CrmConnection) -> Found:
    """An address over which a token may be sent: encrypted, unless nothing leaves the machine."""
    if connection.address is None:
        if connection.type in CRM_TYPES:
            yield checker.at((*here, "url"), f"every account of {connection.type} has an address of its own; add url")
        return
    fault = find_address_fault(connection.address, allow_private=connection.allow_private)
    if fault is not None:
        yield checker.at((*here, "url"), fault)


def _check_credentials(checker: Checker, here: Path, connection: CrmConnection) -> Found:
    for word, variable in connection.credentials.items():
        if variable.startswith(PREFIX):
            message = f"{variable} is a variable for the secret of a source; name another"
            yield checker.at((*here, "credentials", word), message)
    if connection.type not in CRM_TYPES:
        return
    needed = CRM_TYPES[connection.type].credentials
    known = frozenset[str]().union(*needed)
    unknown = [word for word in connection.credentials if word not in known]
    for word in unknown:
        message = f"{connection.type} has no credential {word!r}; {propose(word, known)}"
        yield checker.at((*here, "credentials", word), message)
    if not unknown and set(connection.credentials) not in needed:
        sets = " or ".join(", ".join(sorted(each)) for each in needed)
        yield checker.at((*here, "credentials"), f"{connection.type} needs {sets}, each with the name of a variable")


def _check_writes(checker: Checker, here: Path, connection: CrmConnection) -> Found:
    if not connection.writes and connection.task is None and connection.reads is None:
        message = "nothing is read or written: it has neither reads nor writes nor a task"
        yield checker.at(here, message, note=True)
    if connection.task is not None and not any(write.fact == "owner" for write in connection.writes.values()):
        message = "owners are not written, so the task's owner may differ from the record's; write fact: owner"
        yield checker.at((*here, "task"), message, note=True)
    for name, write in connection.writes.items():
        there: Path = (*here, "writes", name)
        if name == connection.unique_field:
            yield checker.at(there, "holds Leadgate's key, which is written by itself; remove it")
        yield from _check_fact(checker, (*there, "fact"), write.fact)
        if write.fact == "leadgate_link" and connection.link is None:
            yield checker.at((*there, "fact"), "nothing says where a lead's page is; add link")
        words = _WORDS.get(write.fact)
        if words is None or not write.values:
            continue
        for word in write.values:
            if word not in words:
                message = f"{write.fact} is never {word!r}; {propose(word, words)}"
                yield checker.at((*there, "values", word), message)
        if missing := [word for word in words if word not in write.values]:
            message = f"writes {', '.join(missing)} as it is; translate it, too, if the CRM has other choices"
            yield checker.at((*there, "values"), message, note=True)


def _check_reads(checker: Checker, here: Path, connection: CrmConnection) -> Found:
    """Records that are read have a source of leads, which says what their fields mean."""
    reads = connection.reads
    if reads is None:
        return
    there: Path = (*here, "reads")
    if reads.owner == "follow" and "owner" in reads.model_fields_set and connection.owner_field is None:
        yield checker.at((*there, "owner"), "no field is written with fact: owner, so there is none to follow")
    yield from _check_deals(checker, (*there, "deals"), connection, reads.deals)
    for kind, records in reads.records.items():
        yield from _check_records(checker, (*there, _RECORD_KEYS[kind]), connection, kind, records)
    rules = checker.playbook.follow_up
    counted = {*(touch.kind for touch in rules.touches), *rules.outcomes}
    for word, kind in reads.activities.items():
        if kind not in counted:
            message = f"{kind} is no kind of touch, so no clock stops; {propose(kind, counted)}"
            yield checker.at((*there, "activities", word), message, note=True)
    sources = checker.playbook.sources
    yield from checker.check_known((*there, "webhooks"), "source", reads.webhooks, sources)
    told = sources.get(reads.webhooks or "")
    if told is not None and (told.http is None or told.http.auth not in CHANGE_AUTHS):
        message = (
            f"{reads.webhooks} is told of no changes of records; its http.auth is none of {', '.join(CHANGE_AUTHS)}"
        )
        yield checker.at((*there, "webhooks"), message)
    elif told is not None and told.http is not None and told.http.auth != connection.type:
        message = f"{reads.webhooks} has webhooks of {told.http.auth}, and {connection.name} is {connection.type}"
        yield checker.at((*there, "webhooks"), message)
    if reads.source is None:
        is_other_read = reads.deals is not None or reads.activities or reads.records
        if connection.followed_field is None and not is_other_read:
            message = (
                "nothing is read: it has no source, deals, opportunities, contracts or activities, and there is no "
                "owner to follow"
            )
            yield checker.at(there, message, note=True)
        for key in ("also", "only"):
            if key in reads.model_fields_set:
                yield checker.at((*there, key), "says which leads become signals; add their source")
        return
    yield from checker.check_known((*there, "source"), "source", reads.source, sources)
    source = sources.get(reads.source)
    if source is None:
        return
    if source.kind != "leads":
        yield checker.at((*there, "source"), f"{reads.source} is a source of {source.kind}; records are leads")
    if source.http is not None:
        message = f"{reads.source} is posted to as well; records that are read need a source of their own"
        yield checker.at((*there, "source"), message)
    if not source.mapping:
        message = "says which of the CRM's fields are read, and what each is; it is empty"
        yield checker.at(("sources", reads.source, "mapping"), message)
    for name in source.mapping:
        if not CRM_FIELD_NAME.fullmatch(name):
            yield checker.at(("sources", reads.source, "mapping", name), f"no field of a CRM is called {name!r}")
    for name, asked in reads.only.items():
        if not asked:
            yield checker.at((*there, "only", name), "names no value, so no record is read; write set, or empty")
    if reads.source not in {name for names in checker.playbook.matching.crm_ids.values() for name in names}:
        message = (
            f"a record that changes is found by its address alone; add matching.crm_ids: "
            f"{{{connection.name}: [{reads.source}]}}"
        )
        yield checker.at((*there, "source"), message, note=True)


def _check_deals(checker: Checker, here: Path, connection: CrmConnection, deals: CrmDealReads | None) -> Found:
    if deals is None:
        return
    outcomes = checker.playbook.follow_up.outcomes
    if not deals.created and not deals.stages:
        yield checker.at(here, "names no outcome; add created, or stages")
    yield from checker.check_known((*here, "created"), "outcome", deals.created, outcomes)
    for stage, outcome in deals.stages.items():
        yield from checker.check_known((*here, "stages", stage), "outcome", outcome, outcomes)
    if connection.type not in CRM_TYPES:
        for key, value in (("stage_field", deals.stage_field), ("created_field", deals.created_field)):
            if value is None:
                yield checker.at((*here, key), f"{connection.type} has none by default; add {key}")


def _check_records(checker: Checker, here: Path, connection: CrmConnection, kind: str, reads: CrmRecordReads) -> Found:
    """Records of their own have a source of their kind, which nobody else fills."""
    type_ = CRM_TYPES.get(connection.type)
    if type_ is not None and kind not in type_.record_fields:
        yield checker.at(here, f"{connection.type} has no {_RECORD_KEYS[kind]}; remove it")
    sources = checker.playbook.sources
    yield from checker.check_known((*here, "source"), "source", reads.source, sources)
    source = sources.get(reads.source)
    if source is None:
        return
    wanted = RECORD_SOURCES[kind]
    if source.kind != wanted:
        message = f"{reads.source} is a source of {source.kind}; these are {wanted}, so write kind: {wanted}"
        yield checker.at((*here, "source"), message)
    if source.http is not None:
        message = f"{reads.source} is posted to as well; records that are read need a source of their own"
        yield checker.at((*here, "source"), message)
    for name in source.mapping:
        if not CRM_FIELD_NAME.fullmatch(name):
            yield checker.at(("sources", reads.source, "mapping", name), f"no field of a CRM is called {name!r}")
    if type_ is None and not source.mapping:
        message = "says which of the CRM's fields are read, and what each is; it is empty"
        yield checker.at(("sources", reads.source, "mapping"), message)


def _check_texts(checker: Checker, here: Path, connection: CrmConnection) -> Found:
    if connection.task is not None:
        for key, text in (("subject", connection.task.subject), ("body", connection.task.body)):
            there: Path = (*here, "task", key)
            names, problem = _read_names(text)
            if problem is not None:
                yield checker.at(there, problem)
            for name in names:
                yield from _check_fact(checker, there, name)
    for key, link, held in (
        ("link", connection.link, "lead_number"),
        ("record_link", connection.record_link, "record_id"),
    ):
        if link is None:
            continue
        names, problem = _read_names(link)
        if problem is not None:
            yield checker.at((*here, key), problem)
        if unknown := [name for name in names if name != held]:
            message = f"a link holds {{{held}}} alone, and not {{{unknown[0]}}}: links are read by others"
            yield checker.at((*here, key), message)
        if not link.startswith("https://"):
            yield checker.at((*here, key), "is no address of a page; write one like https://…")


def _read_names(text: str) -> tuple[list[str], str | None]:
    """The names in braces in ``text``, and what is wrong with them."""
    names: list[str] = []
    try:
        for _, name, form, conversion in Formatter().parse(text):
            if name is not None and (form or conversion or not name.isidentifier()):
                return names, f"{{{name}}} is no name of a fact; write it like {{company}}, without more"
            if name is not None:
                names.append(name)
    except ValueError:
        return names, "has a brace that does not belong to a pair; write {{ for a brace"
    return names, None


def _check_fact(checker: Checker, path: Path, name: str) -> Found:
    known = {*checker.columns_at(StageName.FOLLOW_UP), *FACTS}
    if name not in known:
        yield checker.at(path, f"{name!r} is neither a field of a lead nor a fact; {propose(name, known)}")


def _check_owners(checker: Checker) -> Found:
    """Each owner can be found in the CRM: by an id, or by e-mail."""
    for connection in checker.playbook.crm:
        if connection.task is None and not any(write.fact == "owner" for write in connection.writes.values()):
            continue
        for position, rep in enumerate(checker.playbook.reps):
            if rep.email is None and connection.name not in rep.crm_ids:
                message = f"cannot be found in {connection.name}; give an email, or crm_ids: {{{connection.name}: ID}}"
                yield checker.at(("reps", position), message, note=True)

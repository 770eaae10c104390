"""A draft of scoring rules as YAML: the part of a playbook that a person edits and puts into their own.

Belongs here: writing the part. Does not belong here: which rules (``rule_drafts``), or a file.

Every name and value of the export is written as JSON writes a text, which YAML reads as the same text: no quote, line
break or sign of YAML in it ends it. Comments hold numbers only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leadgate.figures import Share
from leadgate.learning.rule_drafts import ChosenRule


@dataclass(frozen=True)
class NewField:
    """A field that the playbook has to declare, so that a column of the export is read into it."""

    name: str
    type: str
    header: str


def build_draft_text(
    rules: Sequence[ChosenRule], fields: Mapping[str, NewField], heading: Sequence[str], fit_comments: Mapping[str, str]
) -> str:
    """``heading`` are lines of the comment above; ``fit_comments`` stand above a column's first rule, by its header."""
    lines = [f"# {line}".rstrip() for line in heading]
    if fields:
        lines.append("fields:")
        lines += [
            f"  {field.name}: {{type: {field.type}, label: {_write(field.header)}, headers: [{_write(field.header)}]}}"
            for field in fields.values()
        ]
    lines += ["scoring:", "  fit:"]
    before = None
    for rule in rules:
        draft = rule.draft
        if draft.header != before and draft.header in fit_comments:
            lines.append(f"    # {fit_comments[draft.header]}")
        before = draft.header
        lines.append(
            f"    - {{name: {draft.name}, when: {_write(draft.when)}, points: {rule.points}, "
            f"why: {_write(_describe_why(rule))}}}"
        )
    return "\n".join(lines) + "\n"


def _describe_why(rule: ChosenRule) -> str:
    """The shares; and where the points say the opposite, that they are beside the other rules."""
    learn, rest = rule.draft.learn, rule.draft.rest
    shares = describe_shares(learn, rest)
    if (rule.points > 0) is ((learn.value or 0.0) >= (rest.value or 0.0)):
        return shares
    return f"{shares}; {'more' if rule.points > 0 else 'less'} often where the other rules are the same"


def describe_shares(with_it: Share, without: Share) -> str:
    return f"won {_percent(with_it)} of {with_it.of:,}, {_percent(without)} of the others"


def _percent(share: Share) -> str:
    return "no share" if share.value is None else f"{100 * share.value:.0f} %"


def _write(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a draft holds visible characters only")
    return json.dumps(text, ensure_ascii=False)

"""What a ``when:`` expression asks, in plain words.

Belongs here: words for the syntax that playbooks use; what has none is shown as it is written. Does not belong here:
what an expression may say (``syntax``), or the rules that have one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from leadgate.expressions.syntax import Expression, Node, parse

#: Text functions that change only how a value is compared.
_COMPARED_AS: Final = frozenset({"lower", "upper", "trim", "ltrim", "rtrim", "strip_accents"})
_COMPARED: Final = {
    "COMPARE_EQUAL": "is",
    "COMPARE_NOT_DISTINCT_FROM": "is",
    "COMPARE_NOTEQUAL": "is not",
    "COMPARE_DISTINCT_FROM": "is not",
    "COMPARE_LESSTHAN": "is below",
    "COMPARE_GREATERTHAN": "is above",
    "COMPARE_LESSTHANOREQUALTO": "is at most",
    "COMPARE_GREATERTHANOREQUALTO": "is at least",
}
#: The same comparison with its sides exchanged.
_FLIPPED: Final = {
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
}
_OPPOSITE: Final = {
    "OPERATOR_IS_NULL": "{} is given",
    "OPERATOR_IS_NOT_NULL": "{} is not given",
}
#: Fields of yes and no, as statements about the lead or the record.
_STATEMENTS: Final = {
    "is_free_mail": ("the e-mail address is of a free mail service", "the e-mail address is of no free mail service"),
    "is_disposable": ("the e-mail address is a disposable one", "the e-mail address is no disposable one"),
    "is_role_address": ("the e-mail address is of a role, not a person", "the e-mail address is of a person"),
    "auto_renews": ("the contract renews itself", "the contract does not renew itself"),
    "has_consent": ("the person agreed to be contacted", "the person did not agree to be contacted"),
}
_NAMES: Final = {
    "email": "e-mail address",
    "email_domain": "domain of the e-mail address",
    "account_id": "account's id",
    "employees": "number of employees",
    "qualified_as": "qualification",
    "company_domain": "company's domain",
    "website_domain": "website's domain",
    "amount_change": "change of the amount",
    "pushed_days": "number of days by which the close date is pushed",
    "pushes": "number of pushes",
    "seats": "number of seats",
    "seats_used": "number of seats used",
    "open_opportunities": "number of open opportunities at the account",
}
_CODE: Final = re.compile(r"[A-Z0-9]{1,4}|\d{4}-\d\d-\d\d")
#: A pattern that is nothing but a list of words: whole ones between word boundaries, or parts of words.
_WORDS: Final = re.compile(r"(?P<from>\\b)?\(?(?:\?:)?(?P<words>[\w '&/.+-]+(?:\|[\w '&/.+-]+)*)\)?(?P<to>\\b)?")


def describe_condition(when: str, labels: Mapping[str, str] | None = None, noun: str = "lead") -> str:
    """What ``when`` asks of a lead, such as "the country is DE or AT", or "every lead".

    ``noun``: what it is about, if not a lead. ``labels`` names the playbook's own fields. A part that has no words is
    shown as it is written. Raises ``RuleError`` for an expression that is refused.
    """
    expression = parse(when)
    return _Wording(expression, labels or {}, noun).describe(expression.tree)


def name_field(name: str, labels: Mapping[str, str] | None = None) -> str:
    """A field in a sentence, such as "number of employees"."""
    label = (labels or {}).get(name)
    if label:
        return f"“{label}”"
    return _NAMES.get(name, name.replace("_", " "))


def list_choices(values: Sequence[str], last: str = "or") -> str:
    """Values in a sentence, such as "a, b or c"."""
    return f"{', '.join(values[:-1])} {last} {values[-1]}" if len(values) > 1 else "".join(values)


class _Wording:
    def __init__(self, expression: Expression, labels: Mapping[str, str], noun: str) -> None:
        self._expression = expression
        self._noun = noun
        self._labels = labels

    def describe(self, node: Node, *, inner: bool = False) -> str:
        """``inner``: the words become part of a longer sentence, so several of them are put in brackets."""
        match node["class"], node["type"]:
            case "CONJUNCTION", type_:
                joint = "and" if type_ == "CONJUNCTION_AND" else "or"
                words = f" {joint} ".join(self.describe(each, inner=True) for each in node["children"])
                return f"({words})" if inner else words
            case "CONSTANT", _ if node["literal"]["kind"] == "BOOLEAN":
                return f"{'every' if node['literal']['text'] == 'true' else 'no'} {self._noun}"
            case "COLUMN_REF", _:
                return self._state(node, holds=True)
            case "COMPARISON", _:
                left, right, compared = node["left"], node["right"], str(node["type"])
                if left["class"] == "CONSTANT":
                    left, right, compared = right, left, _FLIPPED.get(compared, compared)
                return self._compare(node, left, _COMPARED[compared], [right])
            case "BETWEEN", _:
                bounds = [self._format_value(node[name]) for name in ("lower", "upper")]
                subject = self._name_term(node["input"])
                if subject is None or None in bounds:
                    return self._quote(node)
                return f"{subject} is from {bounds[0]} to {bounds[1]}"
            case "OPERATOR", ("COMPARE_IN" | "COMPARE_NOT_IN") as type_:
                first, *others = node["children"]
                return self._compare(node, first, "is" if type_ == "COMPARE_IN" else "is not", others)
            case "OPERATOR", "OPERATOR_IS_NOT_NULL":
                subject = self._name_term(node["children"][0])
                return self._quote(node) if subject is None else f"{subject} is given"
            case "OPERATOR", "OPERATOR_IS_NULL":
                subject = self._name_term(node["children"][0])
                return self._quote(node) if subject is None else f"{subject} is not given"
            case "OPERATOR", "OPERATOR_NOT":
                return self._deny(node["children"][0])
            case "FUNCTION", _:
                return self._describe_function(node, holds=True)
        return self._quote(node)

    def _deny(self, node: Node) -> str:
        match node["class"], node["type"]:
            case "COLUMN_REF", _:
                return self._state(node, holds=False)
            case "OPERATOR", type_ if type_ in _OPPOSITE:
                subject = self._name_term(node["children"][0])
                if subject is not None:
                    return _OPPOSITE[type_].format(subject)
            case "OPERATOR", "COMPARE_IN":
                first, *others = node["children"]
                return self._compare(node, first, "is not", others)
            case "FUNCTION", _:
                return self._describe_function(node, holds=False)
        return f"not ({self.describe(node)})"

    def _state(self, node: Node, *, holds: bool) -> str:
        name = node["column_names"][0].lower()
        if name in _STATEMENTS:
            return _STATEMENTS[name][0 if holds else 1]
        return f"{self._name(name)} is {'yes' if holds else 'no'}"

    def _compare(self, node: Node, term: Node, verb: str, others: Sequence[Node]) -> str:
        subject, values = self._name_term(term), [self._format_value(each) for each in others]
        known = [each for each in values if each is not None]
        if subject is None or len(known) < len(values):
            return self._quote(node)
        if verb == "is not" and len(known) > 1:
            return f"{subject} is none of {', '.join(known)}"
        return f"{subject} {verb} {list_choices(known)}"

    def _describe_function(self, node: Node, *, holds: bool) -> str:
        name, arguments = node["function_name"].lower(), [each["expression"] for each in node["arguments"]]
        denied = name.startswith("!~~")
        subject = self._name_term(arguments[0]) if len(arguments) == 2 else None
        constant = arguments[1]["literal"] if len(arguments) == 2 and arguments[1]["class"] == "CONSTANT" else None
        if subject is None or constant is None or constant["kind"] != "STRING":
            return self._quote(node) if holds else f"not ({self._quote(node)})"
        text, does = constant["text"], holds != denied
        if name in ("starts_with", "prefix"):
            return f"{subject} {'begins' if does else 'does not begin'} with “{text}”"
        if name in ("ends_with", "suffix"):
            return f"{subject} {'ends' if does else 'does not end'} with “{text}”"
        if name in ("contains", "regexp_matches"):
            words = f"“{text}”" if name == "contains" else _describe_pattern(text)
            return f"{subject} {'has' if does else 'does not have'} {words}"
        if name.lstrip("!") in ("~~", "~~*"):
            return f"{subject} {_describe_like(text, does=does)}"
        return self._quote(node) if holds else f"not ({self._quote(node)})"

    def _name_term(self, node: Node) -> str | None:
        """What is compared, such as "the job title"; None where there are no words for it."""
        if node["class"] == "COLUMN_REF":
            return self._name(node["column_names"][0].lower())
        if node["class"] == "FUNCTION" and len(node["arguments"]) == 1:
            name, inner = node["function_name"].lower(), self._name_term(node["arguments"][0]["expression"])
            if inner is not None and name in _COMPARED_AS:
                return inner
            if inner is not None and name in ("length", "strlen"):
                return f"the length of {inner}"
        return None

    def _name(self, column: str) -> str:
        named = name_field(column, self._labels)
        return named if named.startswith("“") else f"the {named}"

    def _format_value(self, node: Node) -> str | None:
        if node["class"] == "CAST" and node["child"]["class"] == "CONSTANT":  # as in date '2027-01-01'
            node = node["child"]
        if node["class"] == "COLUMN_REF":
            return self._name(node["column_names"][0].lower())
        if node["class"] != "CONSTANT":
            return None
        literal = node["literal"]
        match literal["kind"]:
            case "STRING":
                return _quote_text(literal["text"])
            case "INTEGER":
                return f"{int(literal['text']):,}"
            case "BOOLEAN":
                return "yes" if literal["text"] == "true" else "no"
            case "NUMERIC":
                return str(literal["text"])
        return None

    def _quote(self, node: Node) -> str:
        excerpt = self._expression.format_excerpt(node) if node is not self._expression.tree else self._expression.text
        return f"`{' '.join(excerpt.split())}`"


def _quote_text(text: str) -> str:
    """In quotes, but for codes such as a country's."""
    return text if _CODE.fullmatch(text) else f"“{text}”"


def _describe_pattern(pattern: str) -> str:
    found = _WORDS.fullmatch(pattern)
    if found is None or pattern.count("(") != pattern.count(")"):
        return f"the pattern `{pattern}`"
    words = [f"“{each}”" for each in found["words"].split("|")]
    if found["from"] and found["to"]:
        return f"the word {list_choices(words)}"
    return list_choices(words)


def _describe_like(pattern: str, *, does: bool) -> str:
    bare = pattern.strip("%")
    if "%" in bare or "_" in bare:
        return f"{'is' if does else 'is not'} like “{pattern}”"
    before, after = pattern.startswith("%"), pattern.endswith("%") and len(pattern) > 1
    if before and after:
        return f"{'has' if does else 'does not have'} “{bare}”"
    if before:
        return f"{'ends' if does else 'does not end'} with “{bare}”"
    if after:
        return f"{'begins' if does else 'does not begin'} with “{bare}”"
    return f"{'is' if does else 'is not'} “{bare}”"

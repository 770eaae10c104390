"""Errors for people have one base, which says what they mean for a shell and for HTTP."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.http.responses import build_id_reused_error, build_ledger_away_error
from console.screen import CommandError
from leadgate.actors import ActorError
from leadgate.data_folder import DataFolderError
from leadgate.errors import ExitCode, LeadgateError
from leadgate.ledger.actions import ActionError
from leadgate.ledger.errors import NoLedgerError
from leadgate.ledger.faults import Conflict
from leadgate.settings import SettingsError

ROOT = Path(__file__).parents[2]
CLASS = re.compile(r"\bclass\s+\w+\(([^)]*)")  # few files have a class of the kind that is looked for
#: Errors that end inside the program: something catches each, and no person reads it.
INSIDE = {
    "DeadlinePassed", "FaultError", "JsonPathError", "NotTakenError", "NotifyError", "ProviderError", "RecordError", "RefusedExpectationError",
    "RowsRefused", "SignInNeededError", "TooFewError", "UncheckedError", "UnfitValueError", "UnreadableWebhookError", "UnusableFile", "UrlTemplateError",
    "_PrivatePeer", "_Stop",
}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "exit_code", "http_status"),
    [
        (CommandError("words"), 2, 400),
        (CommandError("words", ExitCode.INCOMPLETE), 4, 400),
        (SettingsError("words"), 2, 400),
        (ActorError("words"), 2, 403),
        (ActionError("words"), 2, 409),
        (NoLedgerError("a folder"), 3, 503),
        (DataFolderError("words"), 3, 503),
        (Conflict("words"), 3, 409),
        (build_ledger_away_error(), 2, 503),
        (build_id_reused_error(), 2, 409),
    ],
)
def test_an_error_has_an_exit_code_and_a_status(error: LeadgateError, exit_code: int, http_status: int) -> None:
    assert (error.exit_code, error.http_status) == (exit_code, http_status)


def test_every_other_error_ends_inside_the_program() -> None:
    assert set(_errors_without_the_base()) == INSIDE


def _errors_without_the_base() -> Iterator[str]:
    python_errors = {"BaseException", "Exception", "ValueError", "RuntimeError", "OSError", "TypeError", "KeyError"}
    for floor in ("console", "flows", "tasks", "expectations", "leadgate"):
        for path in (ROOT / floor).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            bases_here = {word for listed in CLASS.findall(source) for word in re.findall(r"\w+", listed)}
            for node in ast.walk(ast.parse(source)) if bases_here & python_errors else ():
                if isinstance(node, ast.ClassDef) and node.name != LeadgateError.__name__:
                    bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                    if bases & python_errors and LeadgateError.__name__ not in bases:
                        yield node.name

"""Errors whose message is meant for a person, and what each means for a shell and for HTTP.

Belongs here: the base of these errors, and the exit codes. Does not belong here: a single error, which stands beside
what raises it; or faults that nobody expected, which ``leadgate.ledger.faults`` judges.
"""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus


class ExitCode(IntEnum):
    """What a command ends with. A script can trust these numbers."""

    BROKEN = 1  # a check found something broken
    WRONG_INPUT = 2  # nothing was changed
    UNREACHABLE = 3  # PostgreSQL, Prefect, a CRM or a port cannot be used
    INCOMPLETE = 4  # some files were captured, and others not or in part
    INTERRUPTED = 130
    READER_GONE = 141  # 128 + SIGPIPE, as a shell reports it


class LeadgateError(Exception):
    """What a person or a program asked for cannot be done. The message says what is wrong and what to do, and holds
    no personal value."""

    exit_code: ExitCode = ExitCode.WRONG_INPUT
    http_status: HTTPStatus = HTTPStatus.BAD_REQUEST


class NotAvailableError(LeadgateError):
    """Something that Leadgate needs, such as a server, cannot be used now."""

    exit_code = ExitCode.UNREACHABLE
    http_status = HTTPStatus.SERVICE_UNAVAILABLE

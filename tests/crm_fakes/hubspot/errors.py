"""HubSpot's errors, as its API words them: of a request, and of one row of a batch."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson

from crm_fakes.serving import Response


@dataclass
class Refusal(Exception):  # noqa: N818 - what the API says
    """Why a request, or one of its rows, is refused."""

    status: int
    category: str
    message: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    context: dict[str, list[str]] = field(default_factory=dict)

    def as_response(self) -> Response:
        body: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "correlationId": str(uuid.uuid4()),
            "category": self.category,
        }
        if self.errors:
            body["errors"] = self.errors
        if self.context:
            body["context"] = self.context
        return Response(self.status, body)

    def as_row_error(self, trace_id: str | None) -> dict[str, Any]:
        """The error in ``errors`` of a 207. ``StandardError`` of the published schema has all of these keys."""
        context = dict(self.context)
        if trace_id is not None:
            context["objectWriteTraceId"] = [trace_id]
        return {
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": context,
            "errors": self.errors,
            "links": {},
        }


def refuse_value(code: str, name: str, message: str) -> Refusal:
    """One property whose value is not taken. The message quotes it, as the real one does."""
    quoted = orjson.dumps([{"isValid": False, "message": message, "error": code, "name": name}]).decode()
    return Refusal(
        400,
        "VALIDATION_ERROR",
        f"Property values were not valid: {quoted}",
        [{"message": message, "code": code, "context": {"propertyName": [name]}}],
    )


def refuse_input(message: str) -> Refusal:
    return Refusal(400, "VALIDATION_ERROR", message)

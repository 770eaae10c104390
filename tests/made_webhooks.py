"""Webhooks as vendors send them, made up for tests: one person, and whatever a test puts beside or in place of it."""

from __future__ import annotations

from typing import Any


def make_typeform(number: int = 1, **response: Any) -> dict[str, Any]:
    """A response to a form with six questions."""
    asked = [
        ("q1", "work_mail", "Where do we reach you?", "email"),
        ("q2", "3f0c3b52-0001", "What is your full name?", "short_text"),
        ("q3", "3f0c3b52-0002", "Your company", "short_text"),
        ("q4", "team", "How many of you will use it?", "multiple_choice"),
        ("q5", "3f0c3b52-0003", "What do you need?", "multiple_choice"),
        ("q6", "3f0c3b52-0004", "May we write to you?", "yes_no"),
    ]
    values: list[tuple[str, Any]] = [
        ("email", f"ada.{number}@mill.example"),
        ("text", f"Ada Miller {number}"),
        ("text", "Mill & Sons"),
        ("choice", {"id": "c1", "ref": "r1", "label": "11 to 50"}),
        ("choices", {"ids": ["c2", "c3"], "labels": ["Routing", "Scoring"], "other": "Peace"}),
        ("boolean", True),
    ]
    return {
        "event_id": f"event-{number}",
        "event_type": "form_response",
        "form_response": {
            "form_id": "demo-form",
            "token": f"response-{number}",
            "submitted_at": "2026-03-02T09:15:00Z",
            "landed_at": "2026-03-02T09:10:00Z",
            "hidden": {"utm_source": "newsletter"},
            "calculated": {"score": 7},
            "definition": {
                "id": "demo-form",
                "title": "Ask for a demo",
                "fields": [{"id": id_, "ref": ref, "title": title, "type": kind} for id_, ref, title, kind in asked],
            },
            "answers": [
                {"type": kind, kind: value, "field": {"id": question[0], "ref": question[1], "type": question[3]}}
                for question, (kind, value) in zip(asked, values, strict=True)
            ],
        }
        | response,
    }


def make_calendly(number: int = 1, event: str = "invitee.created", **invitee: Any) -> dict[str, Any]:
    """A meeting that somebody booked."""
    meeting = f"https://api.calendly.com/scheduled_events/meeting-{number}"
    return {
        "event": event,
        "created_at": "2026-03-02T09:15:00.000000Z",
        "created_by": "https://api.calendly.com/users/somebody",
        "payload": {
            "uri": f"{meeting}/invitees/invitee-{number}",
            "email": f"ada.{number}@mill.example",
            "name": f"Ada Miller {number}",
            "first_name": None,
            "last_name": None,
            "timezone": "Europe/Berlin",
            "text_reminder_number": None,
            "old_invitee": None,
            "rescheduled": False,
            "questions_and_answers": [{"question": "Company", "answer": "Mill & Sons", "position": 0}],
            "tracking": {"utm_campaign": None, "utm_source": "newsletter"},
            "scheduled_event": {
                "uri": meeting,
                "name": "Demo",
                "start_time": "2026-03-05T14:00:00.000000Z",
                "end_time": "2026-03-05T14:30:00.000000Z",
            },
        }
        | invitee,
    }


def make_google_lead(key: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """A lead form of Google Ads."""
    answers = [
        ("FULL_NAME", "Full name", f"Ada Miller {number}"),
        ("WORK_EMAIL", "Work email", f"ada.{number}@mill.example"),
        ("COMPANY_NAME", "Company name", "Mill & Sons"),
        ("what_do_you_need", "What do you need?", "Routing"),
    ]
    return {
        "lead_id": f"lead-{number}",
        "api_version": "1.0",
        "form_id": 40_000_000_001,
        "campaign_id": 50_000_000_001,
        "gcl_id": "click-1",
        "google_key": key,
        "is_test": False,
        "user_column_data": [
            {"column_id": column, "column_name": name, "string_value": value} for column, name, value in answers
        ],
    } | more


def make_facebook(*leads: int) -> dict[str, Any]:
    """A notice of lead ads for each of ``leads``, in one body."""
    return {
        "object": "page",
        "entry": [
            {
                "id": "222",
                "time": 1_772_442_900,
                "changes": [
                    {
                        "field": "leadgen",
                        "value": {
                            "leadgen_id": str(lead), "form_id": "333", "page_id": "222", "ad_id": "555",
                            "adgroup_id": "666", "created_time": 1_772_442_899,
                        },
                    }
                    for lead in leads
                ],
            }
        ],
    }  # fmt: skip


def make_hubspot(number: int = 1, kind: str = "contact.propertyChange", **more: Any) -> dict[str, Any]:
    """An event of HubSpot; it posts a list of them."""
    changed = {"propertyName": "hubspot_owner_id", "propertyValue": "77"} if kind.endswith("propertyChange") else {}
    return {
        "eventId": 100,
        "subscriptionId": 200,
        "portalId": 300,
        "appId": 400,
        "occurredAt": 1_772_442_900_000 + number,
        "subscriptionType": kind,
        "attemptNumber": 0,
        "objectId": 65_000_000_000 + number,
        "changeSource": "CRM_UI",
    } | changed | more  # fmt: skip

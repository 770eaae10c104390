"""The types of the parameters that people fill in or choose in the Prefect UI's forms.

Belongs here: enumerations and texts that are parameters of deployed flows. They are in a module of their own because
Prefect loads a flow by its path, under another module name, and a type defined there would differ from the imported
one. Does not belong here: what a choice leads to (``rerun``, ``review``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from expectations import PROMISES
from expectations.findings import WHOLE_BATCH
from leadgate.assignment.assignment_result import NO_ROUTE, NOBODY_AVAILABLE
from leadgate.ledger.crm_changes import ANSWERS_NOT_READ
from leadgate.ledger.outbox import ABOUT_CRMS, GONE_FROM_CRM
from leadgate.ledger.quiet_sources import SOURCE_QUIET
from leadgate.matching import ASKS
from leadgate.vocabulary import STAGES
from tasks.failed_batches import CANCELLED, FAILED
from tasks.qualification import IN_REVIEW_BAND
from tasks.reassignments import UNASSIGNED
from tasks.score_roles import SCORE_DRIFTED
from tasks.source_breaker import PARKED

#: The recorded actor when a form names nobody: people who share the login of the server cannot be told apart.
SHARED_LOGIN: Final = "shared Prefect login"
#: Appended to the recorded name of a person who typed it into a form, because the name is not verified.
NAME_FROM_FORM: Final = "said in the Prefect UI"

#: The most characters of a person's name in a form.
MAX_NAME_LENGTH: Final = 80
#: The name that a person gives in a form. Prefect refuses a longer one before it stores anything, and
#: ``form_support`` says why.
Name = Annotated[str, WithJsonSchema({"type": "string", "maxLength": MAX_NAME_LENGTH})]

#: An id as Leadgate prints it, with or without its letter.
Id = Annotated[str, BeforeValidator(str)]


class Mode(StrEnum):
    """How to resolve work items: what happens to the leads that they hold."""

    AS_IT_IS = "as_it_is"
    CORRECTED = "corrected"
    AS_PROPOSED = "as_proposed"
    DONE_BY_HAND = "done_by_hand"
    DISCARD = "discard"


class Decision(StrEnum):
    """The decision of a reviewer."""

    APPROVE = "approve"
    REJECT = "reject"
    CORRECT = "correct"
    TAKE = "take"
    SAME = "same"
    DIFFERENT = "different"


def _list_reasons() -> list[str]:
    """Every reason of Leadgate's own for which something waits for a person, in the order of the stages. Promises that
    a playbook adds have names of their own."""
    promised = [promise.reason for suite in PROMISES.values() for promise in suite]
    return list(
        dict.fromkeys(
            [
                *promised,
                *ASKS,
                IN_REVIEW_BAND,
                NO_ROUTE,
                NOBODY_AVAILABLE,
                UNASSIGNED,
                PARKED,
                *WHOLE_BATCH,
                FAILED,
                CANCELLED,
                *sorted(ABOUT_CRMS | GONE_FROM_CRM),
                SOURCE_QUIET,
                ANSWERS_NOT_READ,
                SCORE_DRIFTED,
            ]
        )
    )


if TYPE_CHECKING:  # the real ones have their members from other modules, which a type checker cannot follow

    class Stage(StrEnum):
        """A stage that holds leads."""

    class Reason(StrEnum):
        """A built-in reason for which something waits for a person."""

else:
    Stage = StrEnum("Stage", {name: name for name in STAGES}, module=__name__)
    Stage.__doc__ = "A stage that holds leads."
    Reason = StrEnum("Reason", {reason: reason for reason in _list_reasons()}, module=__name__)
    Reason.__doc__ = "A built-in reason for which something waits for a person."

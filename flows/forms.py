"""The words that people choose from in the Prefect UI's forms: what a flow's parameters may be.

Belongs here: enumerations that are parameters of deployed flows. They are in a module of their own because a
flow that is loaded by its path has another module name, and its types would then not be these. Does not belong
here: what any of them leads to (``rerun``, ``review``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from expectations import PROMISES
from expectations.findings import WHOLE_BATCH
from leadgate.assignment.assignment_result import NO_ROUTE, NOBODY_AVAILABLE
from leadgate.matching import ASKS
from leadgate.vocabulary import STAGES
from tasks.failed_batches import CANCELLED, FAILED
from tasks.qualification import IN_REVIEW_BAND
from tasks.reassignments import UNASSIGNED
from tasks.source_breaker import PARKED

#: Who did it, where nobody said: people who share a login cannot be told apart.
SHARED_LOGIN: Final = "shared Prefect login"
#: Behind a name that somebody typed into a form, which nobody has checked.
SAID_HERE: Final = "said in the Prefect UI"

#: Characters of a name that somebody types into a form.
MOST_OF_A_NAME: Final = 80
#: Who somebody says they are. Prefect refuses a longer name before it stores anything; ``form_support`` tells what is
#: wrong.
Name = Annotated[str, WithJsonSchema({"type": "string", "maxLength": MOST_OF_A_NAME})]

#: An id as Leadgate prints it, with or without its letter.
Id = Annotated[str, BeforeValidator(str)]


class Mode(StrEnum):
    """What to do with the leads that are held."""

    AS_IT_IS = "as_it_is"
    CORRECTED = "corrected"
    AS_PROPOSED = "as_proposed"
    DONE_BY_HAND = "done_by_hand"
    DISCARD = "discard"


class Decision(StrEnum):
    """What a reviewer decides."""

    APPROVE = "approve"
    REJECT = "reject"
    CORRECT = "correct"
    TAKE = "take"
    SAME = "same"
    DIFFERENT = "different"


def _list_reasons() -> list[str]:
    """Every reason that Leadgate itself holds a lead for, in the order of the stages. Promises that a playbook
    adds have names of their own."""
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
            ]
        )
    )


if TYPE_CHECKING:  # made from where each is defined, which no type checker can follow

    class Stage(StrEnum):
        """A stage that holds leads."""

    class Reason(StrEnum):
        """A built-in reason for which leads are held."""

else:
    Stage = StrEnum("Stage", {name: name for name in STAGES}, module=__name__)
    Stage.__doc__ = "A stage that holds leads."
    Reason = StrEnum("Reason", {reason: reason for reason in _list_reasons()}, module=__name__)
    Reason.__doc__ = "A built-in reason for which leads are held."

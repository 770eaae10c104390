"""The options of ``rerun`` and ``review`` that say what to do about a work item, as one resolution.

Belongs here: which option means what, and that only one is given. Does not belong here: doing it (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.redaction import sanitise
from console.screen import CommandError
from leadgate.resolutions import Correct, CorrectAsProposed, DifferentPerson, Resolution, SamePerson


def find_given(options: Mapping[str, object]) -> str | None:
    """The name of the option that is given, None when none is. Raises ``CommandError`` for more than one."""
    given = [name for name, choice in options.items() if choice is not None]
    if len(given) > 1:
        raise CommandError(f"{' and '.join(given)} exclude one another; give one")
    return given[0] if given else None


def read_shared_options(
    assignments: Sequence[str], same: int | None, *, proposed: bool, different: bool, likeliest: bool = False
) -> dict[str, Resolution | None]:
    """What both commands have, by the option's name. Raises ``CommandError`` as ``read_assignments``."""
    fields = read_assignments(assignments)
    return {
        "--set": Correct(fields) if fields else None,
        "--proposed": CorrectAsProposed() if proposed else None,
        "--same": None if same is None else SamePerson(same),
        "--likeliest": SamePerson(None) if likeliest else None,
        "--different": DifferentPerson() if different else None,
    }


def require_words(option: str, text: str, needed: str) -> None:
    """Raises ``CommandError`` when there is nothing but space in ``text``."""
    if not text.strip():
        raise CommandError(f"{option} needs {needed}")


def read_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """``["email=a@b.example"]`` as a mapping. Raises ``CommandError`` for what is no assignment."""
    fields: dict[str, str] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise CommandError(
                f"--set {sanitise(text, 80)!r} is no correction; write it like --set email=jane@acme.example"
            )
        if name in fields:
            raise CommandError(f"--set gives {name!r} twice; give it once")
        fields[name] = value.strip().replace("\x00", "")
    return fields

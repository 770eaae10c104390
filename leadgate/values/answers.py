"""Yes and no as forms and exports say them, and consent, which is the yes or no that matters most.

Belongs here: reading an answer. Does not belong here: whom it may be asked of, and how long it holds.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from leadgate.values.text import fold

_LONGEST: Final = 500


def _fold_words(words: str) -> frozenset[str]:
    return frozenset(fold(word) for word in words.split())


_YES: Final = _fold_words(
    "yes y true t 1 on x ok okay checked ticked oui o vrai ja j wahr si s sì verdadero cierto sim s tak da "
    "evet kyllä igen ano hai 是 はい 네 نعم "
    "granted given agreed accepted accept agree approved confirmed "
    "subscribed consented"
)
_NO: Final = _fold_words(
    "no n false f 0 off unchecked non faux nein falsch falso nao não nee nie nej nei nem hayır ei ne 否 "
    "いいえ 아니요 لا denied refused rejected declined disagree revoked withdrawn unsubscribed"
)
_YES_PHRASES: Final = (
    "i agree", "i accept", "i consent", "i have read and a", "opt in", "opted in", "double opt in", "optin",
    "j accepte", "j autorise", "je consens", "je suis d accord", "ich stimme zu", "ich willige ein",
    "einverstanden", "zugestimmt", "acepto", "estoy de acuerdo", "autorizo", "aceito", "accetto",
    "acconsento", "freely given consent", "legitimate interest", "performance of a contract",
)  # fmt: skip
_NO_PHRASES: Final = (
    "i do not", "i don t", "i disagree", "do not ", "don t ", "opt out", "opted out", "optout",
    "not opted in", "not given", "not granted", "no consent", "no thanks", "no thank you", "unsubscribe",
    "not subscribed",
    "je n accepte pas", "je refuse", "refuse", "non merci", "nein danke", "ich stimme nicht",
    "nicht einverstanden", "abgelehnt", "widerrufen", "no acepto", "no gracias",
    "rechazo", "nao aceito", "non accetto",
)  # fmt: skip


class Consent(NamedTuple):
    given: bool | None
    problem: str | None


def read_yes_or_no(text: str) -> bool | None:
    """What an answer says, in the usual languages; ``None`` when it says neither.

    >>> [read_yes_or_no(t) for t in ("Oui", "NEIN", "1", "Yes, send me news", "I do not agree", "perhaps")]
    [True, False, True, True, False, None]
    """
    plain = fold(text[:_LONGEST])
    if plain in _YES:
        return True
    if plain in _NO:
        return False
    if plain.startswith(_NO_PHRASES):
        return False
    if plain.startswith(_YES_PHRASES):
        return True
    words = plain.split(" ", 1)
    return True if words[0] in {"yes", "oui", "ja", "si"} and len(words) == 2 else None


def judge_consent(text: str | None, policy: Literal["asked", "given", "required"]) -> Consent:
    """Consent under a source's policy: ``asked`` stops a refusal, ``given`` takes all but a refusal for a
    yes, ``required`` stops everything but a yes. A refusal stops a lead under every policy.

    >>> judge_consent(None, "given"), judge_consent("no", "asked").given
    (Consent(given=True, problem=None), False)
    """
    answer = None if text is None else read_yes_or_no(text)
    if answer is None and policy == "given":
        answer = True
    if answer is False:
        return Consent(False, "consent was refused")
    if policy == "required" and answer is None:
        if text is None:
            return Consent(None, "this source requires consent, and there is none")
        return Consent(None, "this source requires consent, and the answer is neither a yes nor a no")
    return Consent(answer, None)

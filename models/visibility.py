"""What a person sees of a journey in the Temporal UI: search attributes, and the details of its page."""

from datetime import datetime

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from nurture.journey.decision import AnyNext, Finish, Park
from nurture.journey.facts import Chosen, Done, Scored
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.wording import say_fact, say_next
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel

STAGE = SearchAttributeKey.for_keyword("Stage")
SCORE_BAND = SearchAttributeKey.for_keyword("ScoreBand")
STEP = SearchAttributeKey.for_keyword("Step")
OUTCOME = SearchAttributeKey.for_keyword("Outcome")
PAUSED = SearchAttributeKey.for_bool("Paused")

HELD = "held"
"""The step of every lead that an edit left without a place, so that one filter lists them: `Step = 'held'`."""

STUCK = "stuck"
"""The step of every lead whose track's code is gone or raises: `Step = 'stuck'`."""

HOW_TO_RELEASE = "- mend the track, or put the lead on its way: `release LEAD --track TRACK --at STEP`"

HOW_TO_MEND = "- mend the track and deploy it: the code is tried again by itself, at once on the command `refresh`"

_KEYWORDS = {key.name: key for key in (STAGE, SCORE_BAND, STEP, OUTCOME)}
SEARCH_ATTRIBUTES: tuple[SearchAttributeKey[str] | SearchAttributeKey[bool], ...] = (*_KEYWORDS.values(), PAUSED)
"""Every search attribute of a journey; the namespace must have them all."""


LEAN = (PAUSED.name, OUTCOME.name)
"""What is shown where each upsert counts: neither changes more than a few times in a journey."""


def shown_at_start(stage: str, score: int, *, lean: bool = False) -> dict[str, str | bool]:
    """The search attributes that a journey starts with; setting them then costs nothing."""
    moving: dict[str, str | bool] = {
        STAGE.name: stage,
        SCORE_BAND.name: DEFAULT_MODEL.band_of(score),
        STEP.name: "start",
    }
    return {**({} if lean else moving), PAUSED.name: False}


def typed(shown: dict[str, str | bool]) -> TypedSearchAttributes:
    """These attributes as Temporal takes them."""
    keywords = [SearchAttributePair(_KEYWORDS[name], str(value)) for name, value in shown.items() if name in _KEYWORDS]
    return TypedSearchAttributes([*keywords, SearchAttributePair(PAUSED, bool(shown[PAUSED.name]))])


def attributes(
    journal: Journal, following: AnyNext, scoring: ScoringModel, *, lean: bool = False
) -> dict[str, str | bool]:
    """The search attributes of a journey that stands at `following`.

    `advance` calls it and records them: worked out in the workflow, a new band would break every journey's replay.
    """
    scored = journal.facts[journal.scores[-1]]
    score = scored.score if isinstance(scored, Scored) else journal.enrolled.score
    stage = scored.stage if isinstance(scored, Scored) else journal.enrolled.stage
    shown: dict[str, str | bool] = {
        STAGE.name: stage,
        SCORE_BAND.name: scoring.band_of(score),
        STEP.name: _step(journal, following),
        PAUSED.name: journal.paused,
    }
    if isinstance(following, Finish):
        shown[OUTCOME.name] = following.outcome
    return {name: value for name, value in shown.items() if name in LEAN} if lean else shown


def _step(journal: Journal, following: AnyNext) -> str:
    match following:
        case Finish():
            return "finished"
        case Park(why="held"):
            return HELD
        case Park(why="stuck"):
            return STUCK
        case _:
            return place(journal, following.key)


def place(journal: Journal, key: str) -> str:
    """Where in the track's code a step stands: its key without counts, and the loop for a piece that a loop picked.

    So few values that a list of journeys can be filtered by them, and no upsert at each turn of a loop.
    """
    parsed = Key.parse(key)
    if parsed.step.verb == "send":
        for index in reversed(journal.steps.values()):
            fact = journal.facts[index]
            if isinstance(fact, Chosen) and fact.choice == parsed.step.subject:
                return Key.parse(fact.key).place
    return parsed.place


def updates(
    new: dict[str, str | bool], old: dict[str, str | bool]
) -> list[SearchAttributeUpdate[str] | SearchAttributeUpdate[bool]]:
    """The one upsert that takes the attributes from `old` to `new`; empty if nothing changed."""
    changed: list[SearchAttributeUpdate[str] | SearchAttributeUpdate[bool]] = []
    for name, value in new.items():
        if old.get(name) == value:
            continue
        if name in _KEYWORDS:
            changed.append(_KEYWORDS[name].value_set(str(value)))
        else:
            changed.append(PAUSED.value_set(bool(value)))
    return changed


def details(journal: Journal, following: AnyNext, because: tuple[str, ...], now: datetime) -> str:
    """The current details (Markdown) of a journey's page: stage, score, last touch, what comes next, when and why.

    For a held lead, what could not be explained; and how an edit was read, if the track was edited behind the lead.
    """
    scored = journal.facts[journal.scores[-1]]
    score = scored.score if isinstance(scored, Scored) else journal.enrolled.score
    stage = scored.stage if isinstance(scored, Scored) else journal.enrolled.stage
    last = next((fact for fact in reversed(journal.facts) if isinstance(fact, Done)), None)
    held = isinstance(following, Park) and following.why == "held"
    stuck = isinstance(following, Park) and following.why == "stuck"
    read = journal.explained if not (held or stuck) else None  # what was read before a hold holds no more
    lines = [
        f"**{say_next(following)}**{_when(following)}",
        "",
        *([f"- nothing is sent: {'; '.join(because)}", HOW_TO_RELEASE] if held else []),
        *([f"- nothing is sent: {'; '.join(because)}", HOW_TO_MEND] if stuck else []),
        f"- stage **{stage}**, score **{score}** ({DEFAULT_MODEL.band_of(score)})",
        f"- last step: {say_fact(last)}, {last.at:%a %d %b %Y %H:%M} UTC" if last else "- nothing sent yet",
        *([] if held or stuck else [f"- because: {'; '.join(because)}"]),
        *([f"- the track was edited: {'; '.join(read.said)}"] if read is not None else []),
        f"- as of {now:%a %d %b %Y %H:%M} UTC, enrolled {journal.enrolled.at:%d %b %Y}",
    ]
    return "\n".join(lines)


def _when(following: AnyNext) -> str:
    if isinstance(following, Park) and following.until is not None:
        return f" until {following.until:%a %d %b %Y %H:%M} UTC"
    return ""

"""The world around one lead: what it does, when we hear of it, what the gate says. All of it settled beforehand.

The same world meets every version of a track, so that two lives differ only by the code that was lived. A renamed
piece keeps its root (`s3-new`, `s3-new-new`), and the world reacts to roots.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal

from tests.laws.tracks import SHELF, STAGES

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
RENAMED = "-new"


def root(piece: str) -> str:
    """A piece's first name."""
    return piece.partition(RENAMED)[0]


def day(number: float) -> datetime:
    """A day of the life."""
    return START + timedelta(days=number)


@dataclass(frozen=True, slots=True, order=True)
class Happening:
    """On a day we hear that the lead did something `late` days before, or that a person pauses, resumes, overrides."""

    heard: float
    does: str
    subject: str = ""
    late: float = 0.0


Gate = Literal["sent", "refused"] | float
"""What the gate says to a send: a number puts it off by as many days."""


@dataclass(frozen=True)
class World:
    """One lead's world; days count from its enrolment."""

    seed: int
    happenings: tuple[Happening, ...] = ()
    scores: tuple[tuple[float, int], ...] = ((0, 10),)
    gate: dict[str, Gate] = field(default_factory=dict)
    clicks: dict[str, tuple[float, ...]] = field(default_factory=dict)
    sales: tuple[tuple[float, str] | None, ...] = ()
    values: dict[str, int] = field(default_factory=dict)
    topic: str = "crm"
    seen: tuple[str, ...] = ()

    def score(self, at: datetime) -> int:
        """The lead's score at a moment."""
        return [number for since, number in self.scores if day(since) <= at][-1]

    def stage(self, at: datetime) -> str:
        """The lead's stage at a moment."""
        return STAGES[self.score(at) >= 30]

    def traits(self) -> dict[str, str]:
        """The lead's profile."""
        return {"topic": self.topic}

    def answer(self, activity: str) -> int:
        """What an engineer's own activity returns."""
        return self.values.get(activity, Random(f"{self.seed}/{activity}").randint(0, 2))

    def judge(self, piece: str, nth: int, attempt: int) -> Gate:
        """What the gate says to the nth send of a piece."""
        said = self.gate.get(f"{root(piece)}#{nth}", "sent")
        return "sent" if attempt > 1 and said != "refused" else said

    def clicked(self, piece: str, nth: int) -> tuple[float, ...]:
        """After how many days the lead clicks in the nth send of a piece."""
        return self.clicks.get(f"{root(piece)}#{nth}", ())


def any_world(chance: Random, *, calm: bool = False) -> World:
    """A world by chance; a calm one has no pauses, overrides, late news and no gate that says no."""
    happenings: list[Happening] = []
    for _ in range(chance.choice((0, 2, 5, 10, 20))):
        does, subject = chance.choice(
            (
                ("page.viewed", "/pricing/plans"),
                ("page.viewed", "/blog"),
                ("email.replied", "s1"),
                ("email.opened", "s0"),
                ("email.clicked", f"s{chance.randint(0, 9)}"),
            )
        )
        late = 0.0 if calm else chance.choice((0.0, 0.0, 0.0, 0.5, 3.0))
        happenings.append(Happening(round(chance.uniform(0.2, 200), 2), does, subject, late))
        if not calm and chance.random() < 0.1:
            happenings.append(replace(happenings[-1], heard=happenings[-1].heard + 0.01))
    if not calm:
        for _ in range(chance.choice((0, 0, 1, 2))):
            since = round(chance.uniform(1, 120), 2)
            happenings += [Happening(since, "pause"), Happening(since + chance.choice((0.5, 3, 20)), "resume")]
        happenings += [
            Happening(round(chance.uniform(1, 120), 2), "override") for _ in range(chance.choice((0, 0, 1, 2)))
        ]
    if chance.random() < 0.12:
        happenings.append(Happening(round(chance.uniform(5, 200), 2), chance.choice(("lead.opted_out", "deal.won"))))
    scores = [(0.0, chance.choice((5, 10, 20, 35, 45)))]
    scores += [
        (round(chance.uniform(0, 150), 2), chance.choice((5, 20, 30, 45, 50, 65, 80)))
        for _ in range(chance.choice((0, 1, 3, 6)))
    ]
    pieces = [*(f"s{n}" for n in range(30)), *SHELF["awareness"], *SHELF["consideration"], *(f"x{n}" for n in range(9))]
    gate: dict[str, Gate] = {}
    if not calm:
        for piece in pieces:
            rolled = chance.random()
            if rolled < 0.15:
                gate[f"{piece}#1"] = chance.choice(("refused", 0.5, 2.0, 5.0, 9.0))
    clicks = {
        f"{piece}#{nth}": (round(chance.uniform(0.1, 12), 2),)
        for piece in pieces
        for nth in (1, 2)
        if chance.random() < 0.35
    }
    sales = tuple(
        chance.choice((None, (round(chance.uniform(0.1, 6), 2), chance.choice(("sales.accepted", "sales.rejected")))))
        for _ in range(4)
    )
    return World(
        seed=chance.randint(0, 1_000_000),
        happenings=tuple(sorted(happenings)),
        scores=tuple(sorted(scores)),
        gate=gate,
        clicks=clicks,
        sales=sales,
        topic=chance.choice(("crm", "data")),
    )

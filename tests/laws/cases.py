"""Cases by chance: a track, edits of it, a world, and the days of the edits. The same seed gives the same case."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.laws.author import Author
from tests.laws.edits import Edit, Engineer
from tests.laws.lives import Life, When
from tests.laws.model import Model
from tests.laws.oracles import Case
from tests.laws.tracks import Program
from tests.laws.world import START, World, any_world

LONGEST = 150.0
WHENS: tuple[When, ...] = ("at once", "at once", "at once", "next wake", "in a step")


def single(seed: int, kind: str, size: int = 12) -> tuple[Edit, Case]:
    """A case with one edit of this kind."""
    chance = Random(f"{seed}/{kind}")
    while True:
        program, world = Author(chance).program(chance.randint(3, size)), any_world(chance, calm=chance.random() < 0.3)
        found = Engineer(chance, program).edit(kind)
        length = _length(program, world)
        if found is None or length < 0.2:
            continue
        day = round(chance.uniform(0, length * 0.98), 1)
        compacts = chance.choice((0.0, 0.0, 0.5, 1.0))
        return found[0], Case(program, ((day, found[1]),), world, chance.choice(WHENS), compacts)


def several(seed: int, size: int = 12) -> tuple[list[Edit | None], Case]:
    """A case with 2 to 5 edits; None among them is a rollback of the last one."""
    chance = Random(f"{seed}/several")
    while True:
        program, world = Author(chance).program(chance.randint(3, size)), any_world(chance, calm=chance.random() < 0.3)
        length = _length(program, world)
        if length >= 10:
            break
    versions, edits = [program], list[Edit | None]()
    for number in range(chance.randint(2, 5)):
        if len(versions) > 1 and chance.random() < 0.15:
            versions.append(versions[-2])
            edits.append(None)
            continue
        found = None
        while found is None:
            found = Engineer(chance, versions[-1], number + 1).any_edit()
        edits.append(found[0])
        versions.append(found[1])
    days = sorted(round(chance.uniform(0, length * 0.98), 1) for _ in edits)
    compacts = chance.choice((0.0, 0.0, 0.5, 1.0))
    # What was renamed is remembered once the lead has decided with `was=` in the code
    tidied = any(edit is not None and edit.kind == "tidy was= away" for edit in edits)
    when: When = "at once" if tidied else chance.choice(WHENS[:4])
    return edits, Case(program, tuple(zip(days, versions[1:], strict=True)), world, when, compacts)


def _length(program: Program, world: World) -> float:
    """How many days the life takes if nothing is edited, up to the longest."""
    life = Life(Model(program), world).live(LONGEST)
    return (life.acts[-1][0] - START) / timedelta(days=1) if life.ended is not None else LONGEST

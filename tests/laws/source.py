"""A track's tree as Python source, compiled as an author's file would be."""

from __future__ import annotations

import linecache
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count

from tests.laws.engine import IMPORTS, Track
from tests.laws.tracks import (
    ITEM,
    Block,
    Condition,
    For,
    Helper,
    If,
    Pieces,
    Program,
    Return,
    Sales,
    Send,
    Statement,
    Step,
    Wait,
    While,
    returns,
)


def _condition(condition: Condition) -> str:  # noqa: PLR0911 - one case a read
    match condition.reads:
        case "score":
            return f"lead.score {condition.op} {condition.than}"
        case "stage":
            return f'lead.stage {condition.op} "{condition.than}"'
        case "trait":
            return f'lead.trait("{condition.of}") {condition.op} "{condition.than}"'
        case "has":
            within = f", within=timedelta(days={condition.than})" if condition.than else ""
            return f"{'not ' if condition.op == 'not' else ''}lead.has({matcher((condition.of,))}{within})"
        case "times":
            return f"lead.times({matcher((condition.of,))}) {condition.op} {condition.than}"
        case "met":
            return f"{'not ' if condition.op == 'not' else ''}{condition.of}"
        case "value":
            return f"{condition.of}.value {condition.op} {condition.than}"
        case _:
            return f'{condition.of} {condition.op} "{condition.than}"'


def matcher(patterns: tuple[str, ...]) -> str:
    """Patterns as an author writes them."""
    names = {"email.clicked": "link_clicked", "page.viewed": "page_viewed", "email.replied": "replied"}
    said = []
    for pattern in patterns:
        name, _, glob = pattern.partition(":")
        said.append(f"{names[name]}({'' if glob == '*' else chr(34) + glob + chr(34)})")
    return " | ".join(said)


@dataclass
class _Writer:
    helpers: list[str] = field(default_factory=list)

    def block(self, block: Block, indent: int, item: str) -> list[str]:
        lines = [line for each in block for line in self.statement(each, indent, item)]
        return lines or ["    " * indent + "pass"]

    def statement(  # noqa: C901, PLR0911, PLR0912 - one case a kind of statement
        self, each: Statement, indent: int, item: str
    ) -> list[str]:
        pad = "    " * indent
        match each:
            case Send(was=was):
                piece = item if each.piece == ITEM else f'"{each.piece}"'
                more = f", was={was[0] if len(was) == 1 else was!r}" if was else ""
                if len(was) == 1:
                    more = f', was="{was[0]}"'
                more += ", catch_up=True" if each.catch_up else ""
                call = f"await lead.send({piece}{more})"
                return [f"{pad}if not {call}:", f"{pad}    return rested"] if each.guarded else [pad + call]
            case Wait():
                length = {None: "", -1: "lead.cadence()"}.get(each.days, f"days={each.days}")
                until = f"until={matcher(each.until)}" if each.until else ""
                into = f"{each.into} = " if each.into else ""
                return [f"{pad}{into}await lead.wait({', '.join(filter(None, (length, until)))})"]
            case Step():
                into = f"{each.into} = " if each.into else ""
                return [f'{pad}{into}await lead.{each.does}("{each.what}")']
            case Sales(then="ignore"):
                return [f"{pad}await hand_to_sales(lead)"]
            case Sales(then="return"):
                return [f"{pad}return await hand_to_sales(lead)"]
            case Sales():
                name = f"outcome_{each.id}"
                return [
                    f"{pad}{name} = await hand_to_sales(lead)",
                    f"{pad}if not {name}.returns:",
                    f"{pad}    return {name}",
                ]
            case Return():
                return [f"{pad}return {each.outcome}"]
            case If():
                lines = [f"{pad}if {_condition(each.condition)}:", *self.block(each.body, indent + 1, item)]
                return lines + ([f"{pad}else:", *self.block(each.orelse, indent + 1, item)] if each.orelse else [])
            case While():
                return [f"{pad}while {_condition(each.condition)}:", *self.block(each.body, indent + 1, item)]
            case For():
                name = f"piece_{each.id}"
                return [f"{pad}for {name} in {each.items!r}:", *self.block(each.body, indent + 1, name)]
            case Pieces():
                name, stage = f"piece_{each.id}", f'"{each.stage}"' if each.stage else "lead.stage"
                return [
                    f"{pad}while {name} := await lead.next_piece({stage}):",
                    *self.block(each.body, indent + 1, name),
                ]
            case Helper():
                also = f", {item}" if item else ""
                self.helpers += [
                    "",
                    "",
                    f"async def helper_{each.id}(lead{also}):",
                    *self.block(each.body, 1, item),
                ]
                return [f"{pad}await helper_{each.id}(lead{also})"]


def body_of(program: Program) -> str:
    """The track's source, without its imports."""
    writer = _Writer()
    graduation = writer.block(program.graduation, 1, "")
    main = writer.block(program.main, 1, "")
    rules = [f"exits_on=({', '.join(program.exits)},)" if program.exits else ""]
    rules += [f"graduates_at={program.graduates_at}" if program.graduates_at else "", "on_graduation=graduation"]
    lines = [
        *writer.helpers,
        "",
        "",
        "async def graduation(lead):",
        *graduation,
        *([] if any(map(returns, program.graduation)) else [f"    return {program.back}"]),
        "",
        "",
        f'@track("generated", {", ".join(filter(None, rules))})',
        "async def generated(lead):",
        *main,
        *([] if any(map(returns, program.main)) else ["    return nurtured"]),
    ]
    return "\n".join(lines).strip() + "\n"


_numbers = count(1)


@lru_cache(maxsize=512)
def compiled(source: str) -> Track:
    """The track of a source. Registered with `linecache`, so that errors name their lines."""
    file = f"generated_{next(_numbers)}.py"
    text = IMPORTS + "\n\n" + source
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    room: dict[str, object] = {"__name__": file.removesuffix(".py")}
    exec(compile(text, file, "exec"), room)  # noqa: S102 - the tests' own source
    made = room["generated"]
    assert isinstance(made, Track)
    return made


def as_track(program: Program) -> Track:
    """The program as a track."""
    return compiled(body_of(program))

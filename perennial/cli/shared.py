"""What the commands share: opening an installation, saying what went wrong, naming leads, going through many.

Exit codes: 0 done, 1 a bug of ours, 2 bad input, 3 refused by a rule, 4 settings or surroundings.
"""

import asyncio
import json
import re
import sys
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import exc, select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError
from typer.exceptions import TyperException

from models.leads import LeadRow
from nurture.errors import InputError, PerennialError, RefusedError, SettingsError
from perennial.app.installation import ConnectedInstallation, connected_installation
from perennial.dev.engine_lock import engine_address
from perennial.leads.selection import parse_where, where_clause
from perennial.platform.database_errors import explain_database_error
from perennial.platform.installation import Installation, open_installation
from perennial.platform.migrations import require_current
from perennial.platform.settings import load_settings
from perennial.platform.temporal import connect

T = TypeVar("T")

DONE, BUG, BAD_INPUT, REFUSED, SURROUNDINGS, INTERRUPTED = 0, 1, 2, 3, 4, 130
AT_ONCE = 16
"""How many leads are enrolled or signalled at the same time."""


Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]


@asynccontextmanager
async def opened_database(*, to_write: bool = False) -> AsyncIterator[Installation]:
    """The installation without Temporal, which may be away."""
    settings = load_settings()
    await require_current(settings.database_url, to_write=to_write)
    async with open_installation(settings) as inst:
        yield inst


@asynccontextmanager
async def opened() -> AsyncIterator[ConnectedInstallation]:
    """The installation, connected: to this data folder's running engine, else where Temporal's own settings say."""
    settings = load_settings()
    await require_current(settings.database_url)
    client = await connect(engine_address(settings.data_dir))
    async with connected_installation(settings, client) as inst:
        yield inst


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work to its end."""
    return asyncio.run(work)


# What is said


def out() -> Console:
    """Where answers go."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, highlight=False, soft_wrap=True, width=None if terminal else 160)


def err() -> Console:
    """Where progress and complaints go."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def print_json(answer: Any) -> None:
    """One JSON document, and nothing else, on standard output."""
    print(json.dumps(answer, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def failed(error: Exception) -> tuple[int, str]:  # noqa: PLR0911 - one return a kind of error
    """The exit code of an error, and what to tell its user: what is wrong and what to do."""
    match error:
        case RefusedError():
            return REFUSED, str(error)
        case SettingsError():
            return SURROUNDINGS, str(error)
        case PerennialError():
            return BAD_INPUT, str(error)
        case TyperException():
            context = getattr(error, "ctx", None)
            see = f" (see `{context.command_path} --help`)" if context else ""
            said = " ".join(error.format_message().split()).rstrip(".")
            return BAD_INPUT, said[:1].lower() + said[1:] + see
        case exc.SQLAlchemyError():
            return SURROUNDINGS, str(explain_database_error(error))
        case RPCError():
            said = (error.message.splitlines() or [""])[0][:200]
            return (
                SURROUNDINGS,
                f"the Temporal server did not do it ({error.status.name}: {said}); try again once it is well",
            )
        case OSError() if error.filename:
            return SURROUNDINGS, f"{error.filename}: {error.strerror}"
        case _:
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
            return BUG, (
                f"a bug in Perennial: {type(error).__name__} in {place}; run the same with --debug, "
                "and report what it prints in the project's issue tracker"
            )


# What is named


async def leads_where(session: AsyncSession, where: str | None) -> list[str]:
    """The ids of the leads that a filter finds (None: all but the erased), oldest first."""
    clause = await where_clause(session, parse_where(where) if where is not None else ())
    return list(await session.scalars(select(LeadRow.id).where(clause).order_by(LeadRow.created_at, LeadRow.id)))


def moment_of(text: str, option: str) -> datetime:
    """A moment from an option, `2026-03-01` or `2026-03-01T09:30+01:00`; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is no time; write 2026-03-01 or 2026-03-01T09:30+01:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def pair_of(text: str, option: str) -> tuple[str, str]:
    """`name=value` from an option."""
    name, equals, value = text.partition("=")
    if not (equals and name.strip()):
        raise InputError(f"{option} {text!r} is not understood; write {option} name=value")
    return name.strip(), value.strip()


def rate_of(text: str | None) -> float | None:
    """Leads a second, from `50/s`, `600/m` or `50`. Raises InputError."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*([smh]))?\s*", text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--rate {text!r} is not understood; write 50/s or 600/m")
    return float(match[1]) / {"s": 1, "m": 60, "h": 3600}[match[2] or "s"]


# Going through many


async def for_each(
    items: Sequence[T], work: Callable[[T], Awaitable[str]], *, label: str, rate: float | None = None
) -> Counter[str]:
    """Do `work` for each item, a few at once and at most `rate` a second; how often it answered what.

    A refusal counts as an answer, by its reason without the dates. Progress is shown on a terminal only.
    """
    answers: Counter[str] = Counter()
    numbered = enumerate(items)
    with progress(label, len(items)) as advance:
        started = asyncio.get_running_loop().time()

        async def lane() -> None:
            for number, item in numbered:
                if rate is not None:
                    await asyncio.sleep(started + number / rate - asyncio.get_running_loop().time())
                try:
                    answers[await work(item)] += 1
                except RefusedError as error:
                    answers[re.sub(r" (since|until) \d{4}-\d\d-\d\d", "", f"refused: {error}")] += 1
                advance(1)

        lanes = [asyncio.create_task(lane()) for _ in range(min(AT_ONCE, len(items)))]
        try:
            await asyncio.gather(*lanes)
        finally:
            for each in lanes:
                each.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
    return answers


class progress:  # noqa: N801 - used as the function it stands for
    """A progress bar on a terminal, and nothing elsewhere; gives a function that moves it on by so many."""

    def __init__(self, label: str, total: int) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(label, total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return lambda count: self._bar.advance(self._task, count)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def tell_refusals(console: Console, answers: Counter[str]) -> None:
    """A line for each reason of a refusal, the commonest first."""
    for answer, count in answers.most_common():
        if answer.startswith("refused: "):
            console.print(f"  {count:>7,}  [yellow]{escape(answer)}[/]")

"""Do one thing for many leads: a few at once, at a given rate, with a progress bar, counting the results."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from temporalio.service import RPCError

from nurture.errors import NoAnswerError, PerennialError, RefusedError
from perennial.cli.printing import err, escape
from perennial.platform.database_errors import is_outage

T = TypeVar("T")
log = structlog.get_logger(__name__)

AT_ONCE = 16
"""How many leads are enrolled or signalled at the same time."""

NOT_DONE = ("refused: ", "no answer: ", "failed: ")
"""What the results of those begin with for whom it was not done."""


def said_of(refusal: str) -> str:
    """A refusal without its dates, so that those alike are counted together."""
    return re.sub(r" (since|until) \d{4}-\d\d-\d\d", "", refusal)


async def for_each(
    items: Sequence[T], work: Callable[[T], Awaitable[str]], *, label: str, rate: float | None = None
) -> Counter[str]:
    """Do `work` for each item, a few at once and at most `rate` a second; count what it returns.

    A refusal counts too, under its reason without the dates. So does a journey that does not answer, and one that fails
    by itself: they stop none of the others. If none of the first few answers, most likely no worker runs: raises
    NoAnswerError. Progress is shown on a terminal only.
    """
    results: Counter[str] = Counter()
    numbered = enumerate(items)
    with progress(label, len(items)) as advance:
        started = asyncio.get_running_loop().time()

        async def lane() -> None:
            for number, item in numbered:
                if rate is not None:
                    await asyncio.sleep(started + number / rate - asyncio.get_running_loop().time())
                try:
                    results[await work(item)] += 1
                except RefusedError as error:
                    results[said_of(f"refused: {error}")] += 1
                except NoAnswerError as error:
                    results[f"no answer: {error}"] += 1
                    silent = sum(count for result, count in results.items() if result.startswith("no answer: "))
                    if silent == results.total() >= min(AT_ONCE, len(items)):
                        raise
                except Exception as error:
                    if isinstance(error, PerennialError | RPCError) or is_outage(error):
                        raise
                    log.exception("one failed by itself", item=str(item))
                    results[f"failed: {type(error).__name__}; the log says more"] += 1
                advance(1)

        lanes = [asyncio.create_task(lane()) for _ in range(min(AT_ONCE, len(items)))]
        try:
            await asyncio.gather(*lanes)
        finally:
            for each in lanes:
                each.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
    return results


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and nothing elsewhere; gives a function that advances it by a number."""
    console = err()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


def print_refusals(console: Console, results: Counter[str]) -> None:
    """Print a line for each reason for which it was not done, the commonest first."""
    for result, count in results.most_common():
        if result.startswith(NOT_DONE):
            console.print(f"  {count:>7,}  [yellow]{escape(result)}[/]")

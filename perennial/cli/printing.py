"""What commands print: answers on standard output, progress and errors on standard error.

All of it passes here, so that no control character of a stranger's reaches the terminal.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape as without_markup
from rich.segment import Segment
from rich.text import Text

from nurture.journey.refs import REF
from perennial.platform.terminal import escaped_in_json, shown, shown_on_one_line


class SafeConsole(Console):
    """A console that shows control characters instead of sending them; its own colours are none of the text."""

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as text; its width is measured afterwards, so a table's cells still fit."""
        return super().render_str(shown(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of anything that is printed: text, table or progress."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else shown(text), style, control)


def out() -> Console:
    """The console that answers go to."""
    terminal = sys.stdout.isatty()
    return SafeConsole(file=sys.stdout, highlight=False, soft_wrap=True, width=None if terminal else 160)


def err() -> Console:
    """The console that progress and errors go to."""
    return SafeConsole(file=sys.stderr, highlight=False, soft_wrap=True)


GONE = "(erased)"
"""What stands for words that no database has any more: those of an erased lead, or of before a restored backup."""


def escape(text: str) -> str:
    """Somebody's words as part of a line: on one line, and without markup; words that are gone are said to be."""
    return without_markup(shown_on_one_line(REF.sub(GONE, text)))


def escape_lines(text: str) -> str:
    """Somebody's text of several lines, without markup."""
    return without_markup(text)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 lead", "2,000 leads". `many` is the plural if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def print_json(answer: Any) -> None:
    """Print one JSON document on standard output."""
    print(json_text(answer))


def json_text(answer: Any) -> str:
    """One JSON document that is safe on a terminal."""
    return escaped_in_json(json.dumps(answer, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)

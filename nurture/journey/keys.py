"""The key of a step: what a fact, a ledger row and a search attribute call it.

A key is a string on the wire and in the database; `Key` is what it says. Nothing else takes keys apart.

| key | says |
| --- | --- |
| `send:tip` | the first time the piece `tip` is sent |
| `send:tip~2` | the second time |
| `send:tip~2/wait` | the wait after it |
| `start/wait~2` | the second wait after the enrolment |
| `graduation~2/send:offer` | a step of the second graduation |
| `catch-up/send:terms` | a step given to a lead who was past it when it was put in |

A name that itself ends like a count or a wait (an alert `tell ~2`) is closed with `~1`, so that no two
steps share a key.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

START = "start"
"""What a wait before the first step is named after."""

WAIT = "wait"
CATCH_UP = "catch-up"

_SCOPE = re.compile(r"(graduation|graduation~[1-9][0-9]*|catch-up)/(?=.)", re.DOTALL)
_COUNT = re.compile(r"(.*)~([1-9][0-9]*)", re.DOTALL)
_READS_AS_MORE = re.compile(r".*(~[0-9]+|/wait)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """A step's key: `verb` and `subject` name it, `count` tells steps of one name apart.

    A wait has the verb `wait` and the key of the step it follows (`start` for the enrolment) as its `anchor`. `scope`
    is "" for the track's own steps, else `graduation`, `graduation~2` or `catch-up`.
    """

    verb: str
    subject: str = ""
    count: int = 1
    scope: str = ""
    anchor: str = ""

    @classmethod
    def parse(cls, text: str) -> "Key":
        """The key that this string is. Never fails: a string that is no key is a verb without a subject."""
        return _parsed(text)

    @property
    def is_wait(self) -> bool:
        """Whether it is a wait's."""
        return self.verb == WAIT and bool(self.anchor)

    @property
    def is_graduation(self) -> bool:
        """Whether it is of a graduation's step."""
        return self.scope.startswith("graduation")

    @property
    def name(self) -> str:
        """What the track's code asks for: `send:tip`, without scope and count; `wait` for a wait."""
        return f"{self.verb}:{self.subject}" if self.subject else self.verb

    @property
    def place(self) -> str:
        """Where in the code it stands: the key without counts."""
        scope = self.scope.partition("~")[0]
        name = f"{Key.parse(self.anchor).place}/{WAIT}" if self.is_wait else self.name
        return f"{scope}/{name}" if scope else name

    @property
    def step(self) -> "Key":
        """The key itself, or for a wait the key of the step it follows."""
        return replace(Key.parse(self.anchor), scope=self.scope) if self.is_wait else self

    def numbered(self, count: int) -> "Key":
        """The key of the step with the same name and this count."""
        return Key(self.verb, self.subject, count, self.scope, self.anchor)

    def __str__(self) -> str:
        if self.is_wait:
            text = f"{self.anchor}/{WAIT}"
        else:
            text = f"{self.name}~1" if _READS_AS_MORE.fullmatch(self.name) else self.name
        if self.count > 1:
            text = f"{text}~{self.count}"
        return f"{self.scope}/{text}" if self.scope else text


@lru_cache(maxsize=16_384)
def _parsed(text: str) -> Key:
    scope = ""
    if found := _SCOPE.match(text):
        scope, text = found[1], text[found.end() :]
    count = 1
    if (found := _COUNT.fullmatch(text)) and found[2] != "1":
        text, count = found[1], int(found[2])
    if text.endswith("~1"):
        text = text[:-2]
    elif text.endswith(f"/{WAIT}") and len(text) > len(f"/{WAIT}"):
        return Key(WAIT, "", count, scope, text[: -len(f"/{WAIT}")])
    verb, _, subject = text.partition(":")
    return Key(verb, subject, count, scope)

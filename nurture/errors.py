"""What can go wrong, named by what the caller should do about it.

PerennialError
├── InputError            fix the input: an unknown lead, a malformed file, a bad value
│   ├── ContentError      fix the content piece named in the message
│   ├── ImportFileError   fix the file or its mapping
│   └── NotFoundError     name something that exists
├── TrackError            fix the track's code: it breaks the rules a track lives by
├── RefusedError          not allowed now, by a rule that the message names
└── SettingsError         fix the settings or the surroundings: address, port, database, disk
    └── NoAnswerError     start a worker or look at its log: this journey does not answer, others may
"""

from collections.abc import Iterable
from difflib import get_close_matches


class PerennialError(Exception):
    """Base of every error that Perennial raises for its user; the text says what, where and what to do."""


class InputError(PerennialError):
    """The input is wrong; the same call fails again until it is mended."""


class ContentError(InputError):
    """A content piece is missing, malformed, or does not render."""


class ImportFileError(InputError):
    """A file of leads, or its mapping, cannot be read as one."""


class NotFoundError(InputError):
    """No lead, track, step or enrolment of that name."""


class TrackError(PerennialError):
    """A track's code breaks a rule: it awaits something foreign, reads a clock, does I/O, or is not deterministic.

    `said` is the text without what the code's own exception `quoted`, which may be of a lead.
    """

    def __init__(self, said: str, quoted: str = "") -> None:
        super().__init__(f"{said}: {quoted}" if quoted else said)
        self.said = said


class EndlessError(TrackError):
    """A track's code runs on, or calls itself, without coming to a step: it was stopped by who watches it."""


class RefusedError(PerennialError):
    """The request is well-formed, but a rule forbids it now."""


class SettingsError(PerennialError):
    """The settings or the surroundings are wrong: address, port, database, disk."""


class NoAnswerError(SettingsError):
    """One journey does not answer: no worker runs, or its last task failed. Others may be well."""


def close_names(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The known names that `name` may be a misspelling of, whatever its case: at most `most`, the closest first."""
    lowered = {each.lower(): each for each in known}
    return [lowered[each] for each in get_close_matches(name.lower(), lowered, n=most)]

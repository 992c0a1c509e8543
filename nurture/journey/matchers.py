"""Matchers: small frozen values that say which behaviours a track waits for, and can say it in plain English.

A matcher is a set of patterns; `a | b` matches what either matches. The pattern strings are also what a parked
journey says it listens for, so they cross the wire unchanged.
"""

from dataclasses import dataclass
from functools import lru_cache

from nurture.journey.patterns import Pattern, hears
from nurture.people.behaviours import BEHAVIOURS
from nurture.people.pages import page_glob

JOIN = (
    "a matcher is neither true nor false, so `and`, `or` and `not` do not join matchers; write `a | b` for either of "
    "two, and lead.has(a) to ask whether it happened"
)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which behaviours count; `patterns` are `behaviour:subject-glob`, any of them is enough."""

    patterns: tuple[str, ...]

    def __or__(self, other: "Matcher") -> "Matcher":
        return Matcher(tuple(dict.fromkeys(self.patterns + other.patterns)))

    def matches(self, name: str, subject: str) -> bool:
        """Whether a behaviour with this name and subject counts."""
        return hears(self.patterns, name, subject)

    def __str__(self) -> str:
        return " or ".join(say_pattern(pattern) for pattern in self.patterns)


ENTERED = "segment.entered"
"""What starts a track for those who come into a segment. No behaviour: nobody reports it, and no journey hears it."""


def say_pattern(pattern: str) -> str:
    """A pattern in plain English: `email.clicked:welcome` is "clicked a link in welcome"."""
    said = Pattern.parse(pattern)
    return say_behaviour(said.name, said.subject)


def say_behaviour(name: str, subject: str) -> str:
    """A behaviour in plain English; an unknown name is said as it is."""
    if name == ENTERED:
        return f"entered segment {subject}"
    kind = BEHAVIOURS.get(name)
    says = kind.says if kind else name
    if subject:
        return f"{says} {subject}"
    match name:
        case "email.clicked":
            return "clicked a link in any mail"
        case "page.viewed":
            return "viewed any page"
        case _:
            return says


def _one(name: str, subject: str = "*") -> Matcher:
    if not isinstance(subject, str) or not subject:
        kind = BEHAVIOURS[name].subject
        raise TypeError(f"a {kind} is told by its name or a glob, not {subject!r}; without one, any {kind} counts")
    return _made(name, subject)


@lru_cache(maxsize=4096)
def _made(name: str, subject: str) -> Matcher:
    return Matcher((str(Pattern(name, subject)),))


def link_clicked(piece: str = "*") -> Matcher:
    """A click on a link in the mail with this piece (a glob; any by default)."""
    return _one("email.clicked", piece)


def replied(piece: str = "*") -> Matcher:
    """A reply to the mail with this piece."""
    return _one("email.replied", piece)


def page_viewed(path: str = "*") -> Matcher:
    """A view of a page whose path matches the glob, `/pricing*`; in any case, with a slash at the end or without."""
    return _one("page.viewed", page_glob(path) if isinstance(path, str) else path)


def page_scrolled(path: str = "*") -> Matcher:
    """A page that was scrolled down, by its path; how far is its property `percent`."""
    return _one("page.scrolled", page_glob(path) if isinstance(path, str) else path)


def video_watched(video: str = "*") -> Matcher:
    """A video that was watched; how much of it is its property `percent`."""
    return _one("video.watched", video)


def form_submitted(form: str = "*") -> Matcher:
    """A form sent in."""
    return _one("form.submitted", form)


def content_downloaded(piece: str = "*") -> Matcher:
    """A download of a piece."""
    return _one("content.downloaded", piece)


def event_attended(event: str = "*") -> Matcher:
    """Attendance of a webinar or event."""
    return _one("event.attended", event)


def deal_lost(reason: str = "*") -> Matcher:
    """The CRM says a deal was lost."""
    return _one("deal.lost", reason)


demo_requested = _one("demo.requested")
opted_out = _one("lead.opted_out") | _one("email.complained")
unreachable = _one("email.bounced")
converted = _one("deal.won")
deal_opened = _one("deal.opened")
disqualified = _one("lead.disqualified")
sales_accepted = _one("sales.accepted")
sales_rejected = _one("sales.rejected")

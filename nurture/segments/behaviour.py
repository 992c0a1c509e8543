"""What a lead did: `page_viewed("/pricing*").times(at_least=2, within=days(14))`. A window is `[now - n, now)`."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nurture.errors import InputError
from nurture.journey import matchers
from nurture.journey.matchers import Matcher
from nurture.journey.patterns import Pattern
from nurture.people.behaviours import behaviour_kind
from nurture.segments.facts import LeadFacts, Seen
from nurture.segments.predicates import Not, Predicate
from nurture.segments.traits import Kind, Trait, TraitIs, trait

LATEST = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Did(Predicate):
    """A lead behaved so, `at_least` to `at_most` times, at any time before now or within a time."""

    matcher: Matcher
    at_least: int = 1
    at_most: int | None = None
    window: timedelta | None = None
    props: tuple[TraitIs | Not, ...] = ()

    def times(
        self, *, at_least: int | None = None, at_most: int | None = None, within: timedelta | None = None
    ) -> "Did":
        """How often. With `at_most` alone also not at all. Raises InputError."""
        low = at_least if at_least is not None else 0 if at_most is not None else 1
        counts = [each for each in (low, at_most) if each is not None]
        if any(isinstance(each, bool) or not isinstance(each, int) or each < 0 for each in counts):
            raise InputError(f"{self.matcher}: count times by whole numbers from 0 on, not {at_least} to {at_most}")
        if at_most is not None and at_most < low:
            raise InputError(f"{self.matcher}: at_least={low} is more than at_most={at_most}; nobody is meant")
        made = replace(self, at_least=low, at_most=at_most)
        return made if within is None else made.within(within)

    def within(self, window: timedelta) -> "Did":
        """Within a time before now, its beginning included. Raises InputError."""
        if not isinstance(window, timedelta) or not timedelta(0) < window <= LATEST:
            raise InputError(f"{self.matcher}: within={window!r} is no length of time; write days(14)")
        return replace(self, window=window)

    def having(self, *props: Predicate) -> "Did":
        """Only those of which these properties hold: `having(prop("percent") >= 75)`. Raises InputError."""
        for each in props:
            if not isinstance(each.part if isinstance(each, Not) else each, TraitIs):
                raise InputError(
                    f"{self.matcher}: having({each}) is no test of a property; write prop('plan') == 'pro'"
                )
        return replace(self, props=(*self.props, *props))  # type: ignore[arg-type]  # each is one of these

    def counts(self, seen: Seen) -> bool:
        """Whether a behaviour is one of those meant, whenever it was."""
        return self.matcher.matches(seen.name, seen.subject) and all(_has(seen, each) for each in self.props)

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether it did."""
        count = self._count(lead, now)
        return count >= self.at_least and (self.at_most is None or count <= self.at_most)

    def because(self, lead: LeadFacts, now: datetime) -> list[str]:
        """How often it did."""
        said = f"{self._what} {self._count(lead, now)} times"
        return [said + self._in_time] if self.holds(lead, now) else []

    def _count(self, lead: LeadFacts, now: datetime) -> int:
        since = now - self.window if self.window is not None else None
        return sum(
            each.at < now and (since is None or each.at >= since) and self.counts(each) for each in lead.behaviours
        )

    @property
    def _what(self) -> str:
        return f"{self.matcher}" + (f" with {' and '.join(map(str, self.props))}" if self.props else "")

    @property
    def _in_time(self) -> str:
        return "" if self.window is None else f" within {self.window.total_seconds() / 86_400:g} days"

    def __str__(self) -> str:
        match self.at_least, self.at_most:
            case 1, None:
                often = ""
            case low, None:
                often = f" at least {low} times"
            case 0, high:
                often = f" at most {high} times"
            case low, high:
                often = f" {low} to {high} times"
        return f"{self._what}{often}{self._in_time}"


def _has(seen: Seen, prop: TraitIs | Not) -> bool:
    if isinstance(prop, Not):
        return not _has(seen, prop.part)  # type: ignore[arg-type]  # `having` took no other
    return prop.passes(seen.props.get(prop.name))


def did(matcher: Matcher) -> Did:
    """A lead behaved so. Raises InputError for a behaviour that is not known."""
    for pattern in matcher.patterns:
        behaviour_kind(Pattern.parse(pattern).name)
    return Did(matcher)


def prop(name: str, kind: Kind | None = None) -> Trait:
    """A property of a behaviour, for `having`; compared as a trait is."""
    return trait(name, kind)


def engaged(*, within: timedelta) -> Did:
    """A person at work: a click, a reply, a page, a form, a download, an event or a demo request within a time."""
    return did(ENGAGED).within(within)


def link_clicked(piece: str = "*") -> Did:
    """A click on a link in the mail with this piece (a glob; any by default)."""
    return did(matchers.link_clicked(piece))


def replied(piece: str = "*") -> Did:
    """A reply to the mail with this piece."""
    return did(matchers.replied(piece))


def page_viewed(path: str = "*") -> Did:
    """A view of a page whose path matches the glob."""
    return did(matchers.page_viewed(path))


def page_scrolled(path: str = "*", *, percent: float = 0) -> Did:
    """A page scrolled down so far, at least, in percent."""
    return _deep(did(matchers.page_scrolled(path)), percent)


def video_watched(video: str = "*", *, percent: float = 0) -> Did:
    """A video of which so much was watched, at least, in percent."""
    return _deep(did(matchers.video_watched(video)), percent)


def _deep(read: Did, percent: float) -> Did:
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise InputError(f"{read.matcher}: percent={percent!r} is no number from 0 to 100")
    return read.having(prop("percent") >= percent) if percent else read


def form_submitted(form: str = "*") -> Did:
    """A form sent in."""
    return did(matchers.form_submitted(form))


def content_downloaded(piece: str = "*") -> Did:
    """A download of a piece."""
    return did(matchers.content_downloaded(piece))


def event_attended(event: str = "*") -> Did:
    """Attendance of a webinar or event."""
    return did(matchers.event_attended(event))


def deal_lost(reason: str = "*") -> Did:
    """A deal that was lost."""
    return did(matchers.deal_lost(reason))


def demo_requested() -> Did:
    """A request for a demo."""
    return did(matchers.demo_requested)


ENGAGED = (
    matchers.link_clicked()
    | matchers.replied()
    | matchers.page_viewed()
    | matchers.form_submitted()
    | matchers.content_downloaded()
    | matchers.event_attended()
    | matchers.demo_requested
)

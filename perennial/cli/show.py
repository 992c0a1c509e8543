"""`show`: a lead's whole story, from the database, so Temporal may be away."""

from dataclasses import replace

from rich.console import Console

from nurture.errors import TrackError
from nurture.journey.journal import Journal
from nurture.journey.track import Registry
from perennial.app.programme import programme_of
from perennial.cli.opening import opened_database, run, tell_broken
from perennial.cli.options import InUtc, Json, LeadName
from perennial.cli.page import Times, journey_link
from perennial.cli.preview import say_skipped
from perennial.cli.printing import err, escape, escape_lines, out, print_json
from perennial.journeys.foreseeing import Coming, foresee, prospect_of
from perennial.journeys.story import JourneyLine, LeadStory, Line, journal_of, story_of
from perennial.leads.lookup import require_lead
from perennial.platform.program import command

HALTED = {"paused": "[yellow]paused[/], ", "held": "[red]held[/], "}

STYLES = {
    "held": "red",
    "explained": "dim",
    "sent": "green",
    "refused": "yellow",
    "unknown": "yellow",
    "deferred": "yellow",
    "suppression": "red",
    "exited": "red",
    "graduated": "bold magenta",
    "finished": "bold",
    "enrolled": "bold",
    "behaviour": "cyan",
    "done": "magenta",
}


def show(lead: LeadName, *, utc: InUtc = False, as_json: Json = False) -> None:
    """Tell a lead's whole story: where it stands, why, what comes next, what was.

    Times are in the lead's own zone.
    """
    story, coming, links = run(_story(lead))
    if as_json:
        print_json(
            {
                **{name: getattr(story, name) for name in LeadStory.__dataclass_fields__},
                "ahead": coming,
                "temporal_ui": links,
            }
        )
        return
    times = Times.of(story.lead["time_zone"], utc=utc)
    console = out()
    _print_head(console, story, times)
    console.print("\n[bold]Where it stands[/]" if story.standings else "\nOn no track yet.")
    for standing in story.standings:
        _print_standing(console, standing, coming.get(standing.enrolment_id), times, story.lead["id"])
        if link := links.get(standing.enrolment_id):
            console.print(f"    [dim]in the Temporal UI: {link}[/]")
    console.print("\n[bold]What happened[/]")
    many = len({standing.track for standing in story.standings}) > 1
    day = ""
    for line in story.lines:
        day = _print_line(console, line, times, day, many=many)
    score = story.score
    console.print(
        f"\n[bold]Score {score.total}[/]  fit {score.fit} + engagement {score.engagement}; {score.stage}, {score.band}"
    )
    for points in story.ledger:
        console.print(f"  {points.now:>+6.1f}  {escape(points.reason)}  [dim]{times.day(points.at)}[/]")


def _print_head(console: Console, story: LeadStory, times: Times) -> None:
    lead = story.lead
    name = " ".join(filter(None, (lead["first_name"], lead["last_name"]))) or lead["email"]
    parts = [lead["email"] if name != lead["email"] else "", lead["company"], lead["id"]]
    console.print(f"[bold]{escape(name)}[/]  " + escape(" · ".join(filter(None, parts))))
    traits = ", ".join(f"{key} {value}" for key, value in sorted(lead["traits"].items()))
    console.print(f"[dim]{escape(traits or 'no traits')} · consent {story.consent} · times in {times.name}[/]")
    source = f", from {escape(story.source)}" if story.source else ""
    columns = "".join(f"; {name} {value}" for name, value in sorted(lead["segment"].items()))
    console.print(f"[dim]known since {times.day(lead['created_at'])}{source}{escape(columns)}[/]")
    if story.break_until:
        console.print(f"[yellow]It asked for a break: no mail until {times.moment(story.break_until)}[/]")
    if story.unwanted:
        console.print(f"[yellow]It wants nothing on: {escape(', '.join(story.unwanted))}[/]")
    if story.suppressed:
        console.print(f"[red]Never mailed again: {', '.join(story.suppressed)}[/]")


def _print_standing(console: Console, standing: JourneyLine, coming: Coming | None, times: Times, lead_id: str) -> None:
    cause = f" ({escape(times.text(standing.cause))})" if standing.cause else ""
    since = f"on it since {times.day(standing.started_at)}{cause}"
    if standing.status == "finished":
        ended = times.day(standing.ended_at) if standing.ended_at else ""
        console.print(f"  {standing.track}: [bold]{escape(standing.outcome or 'finished')}[/] on {ended}, {since}")
        return
    until = f" until {times.moment(standing.until)}" if standing.until else ""
    halted = HALTED.get(standing.status, "") if standing.step != standing.status else ""
    console.print(f"  {standing.track}: {halted}[bold]{escape(standing.step)}[/]{until}")
    console.print(f"    [dim]{since}[/]")
    if standing.paused_for:
        console.print(f"    paused for: {escape(standing.paused_for)}")
    if standing.edited:
        console.print(f"    the track was edited: {escape(times.text('; '.join(standing.edited)))}")
    _print_reasons(console, standing, times, lead_id)
    if coming is not None:
        _print_coming(console, coming, times)


def _print_reasons(console: Console, standing: JourneyLine, times: Times, lead_id: str) -> None:
    because = escape(times.text("; ".join(standing.because)))
    if standing.status == "held":
        console.print(f"    [red]nothing is sent:[/] {because}")
        console.print(
            f"    mend the track, or [bold]{command('release')} {lead_id} --track {standing.track} --at STEP[/]"
        )
    elif standing.stuck is not None and standing.stuck_since is not None:
        console.print(
            f"    [red]stuck since {times.moment(standing.stuck_since)}:[/] {escape(times.text(standing.stuck))}"
        )
        console.print(
            f"    it tries again by itself; mend it, then [bold]{command('refresh')} --lead {lead_id}[/] tries at once"
        )
    elif standing.because:
        console.print(f"    [dim]because {because}[/]")
    if standing.overdue:
        console.print(f"    [yellow]overdue: no worker has taken it up; is `{command('worker')}` running?[/]")


def _print_coming(console: Console, coming: Coming, times: Times) -> None:
    when = f" on {times.moment(coming.at)}" if coming.at else ""
    guess = f" (a guess: {escape('; '.join(coming.guess))})" if coming.guess else ""
    console.print(f"    next, if the lead does nothing{guess}: {escape(coming.what)}{when}")
    for reason in coming.put_off:
        console.print(f"      [yellow]put off: {escape(times.text(reason))}[/]")
    for skipped in say_skipped(coming.skipped):
        console.print(f"      [yellow]before it, {escape(skipped)}[/]")


def _print_line(console: Console, line: Line, times: Times, day: str, *, many: bool) -> str:
    today = f"{line.day or line.at.astimezone(times.zone):%a %d %b %Y}"
    clock = f"{line.at.astimezone(times.zone):%H:%M}" if line.day is None else " " * 5
    shown = today if today != day else " " * len(today)
    style = STYLES.get(line.kind, "")
    said = escape(times.text(line.text))
    text = f"[{style}]{said}[/]" if style else said
    late = f"  [yellow]late: heard on {times.moment(line.heard)}[/]" if line.heard is not None else ""
    points = f"  [dim]{line.points:+d}[/]" if line.points else ""
    track = f"  [dim]{line.track}[/]" if many and line.track else ""
    console.print(f"  {shown}  {clock}  {text}{points}{late}{track}")
    return today


async def _story(name: str) -> tuple[LeadStory, dict[str, Coming], dict[str, str]]:
    """The story; of each journey what comes next if the lead does nothing, and its page in the Temporal UI."""
    async with opened_database() as inst:
        programme = programme_of(inst.settings)
        registry, catalogue = tell_broken(programme.tracks), programme.catalogue
        async with inst.database.reading() as session:
            lead = await require_lead(session, name)
            now = inst.now()
            story = _with_present_names(await story_of(session, lead, programme.scoring, now, inst.clock), registry)
            coming: dict[str, Coming] = {}
            for standing in story.standings:
                if standing.status != "active" or standing.stuck is not None or standing.track not in registry:
                    continue
                facts = await journal_of(session, standing.enrolment_id)
                if facts:
                    journal = Journal(facts, len(facts))
                    the_track = registry[standing.track]
                    prospect = await prospect_of(session, lead, the_track, now)
                    as_of = max(now, journal.last_at)
                    try:
                        step = foresee(the_track, journal, as_of, catalogue, prospect, programme.scoring)
                    except TrackError as error:
                        err().print(f"[yellow]broken track:[/] {escape_lines(error.said)}")
                        continue
                    coming[standing.enrolment_id] = step
            links = {each.enrolment_id: journey_link(inst.settings, each.enrolment_id) for each in story.standings}
            return story, coming, {enrolment_id: link for enrolment_id, link in links.items() if link}


def _with_present_names(story: LeadStory, registry: Registry) -> LeadStory:
    """The story with each renamed track under the name that it has now."""
    return replace(
        story,
        standings=tuple(replace(each, track=registry.current(each.track)) for each in story.standings),
        lines=tuple(replace(each, track=registry.current(each.track)) for each in story.lines),
    )

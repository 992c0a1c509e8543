"""The measures of a report as tables."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from statistics import median

from nurture.measures.money import CENT
from nurture.measures.paths import total_by_channel
from nurture.measures.proportions import Rate
from perennial.reports.conversion import STEPS, Conversion, share
from perennial.reports.credit import MODELS
from perennial.reports.engagement import MailGroup, grouped
from perennial.reports.milestones import STAGES
from perennial.reports.outcomes import Outcomes, Sum
from perennial.reports.tables import Cell, Table

REVENUE_BY = "u"
"""The model that shares out what deals are worth."""

_MAIL = ("delivered", "opened", "clicked", "replied", "opted_out", "complained")
_DAY = timedelta(days=1)


def tables_of(found: Outcomes, current: Callable[[str], str] = str) -> tuple[Table, ...]:
    """Every table; `current` is the present name of a track that was renamed."""
    return (
        _funnel(found),
        _velocity(found),
        _conversions(found),
        _cohorts(found),
        _sources(found),
        _mail(found, "tracks", "Mail by track", lambda mail: current(mail.track)),
        _mail(found, "pieces", "Mail by piece", lambda mail: mail.piece),
        _mail(found, "mailbox-providers", "Deliverability by mailbox provider", lambda mail: mail.provider),
        _response(found),
        _deals(found),
        _credit(found),
    )


def _funnel(found: Outcomes) -> Table:
    reached, steps = found.funnel.reached, found.funnel.steps
    into: dict[str, Conversion] = {second: steps[first, second] for first, second in STEPS[:-1]}
    rows = [(says, reached[stage], into[stage].rate if stage in into else None) for stage, says in STAGES.items()]
    return Table(
        "funnel",
        "From lead to deal",
        "How many leads reached each stage in the period; and of those who reached the stage before it in the "
        "period, how many have gone on.",
        ("stage", "leads", "went on from the stage before"),
        ((rows[0][0], rows[0][1], "the first stage"), *rows[1:]),
        bar=1,
    )


def _velocity(found: Outcomes) -> Table:
    def row(first: str, second: str, step: Conversion) -> tuple[Cell, ...]:
        times = step.survival()
        return (
            f"{STAGES[first]} → {STAGES[second]}",
            times.spells,
            times.quantile(0.25),
            times.median,
            times.quantile(0.75),
        )

    return Table(
        "velocity",
        "How long it takes",
        "The time within which a quarter, half and three quarters of the leads go on, by Kaplan and Meier: leads under "
        "way count with the time that they have been. Not known: fewer than that have gone on.",
        ("step", "leads", "a quarter within", "half within", "three quarters within"),
        tuple(row(first, second, found.funnel.steps[first, second]) for first, second in STEPS),
    )


def _conversions(found: Outcomes) -> Table:
    return Table(
        "conversions",
        "From any stage to any later one",
        "Of the leads that reached the first stage in the period, how many have reached the second since.",
        ("from", "to", "went on"),
        tuple((STAGES[first], STAGES[second], step.rate) for (first, second), step in found.funnel.steps.items()),
    )


def _cohorts(found: Outcomes) -> Table:
    weeks = sorted(found.funnel.by_week.items())
    return Table(
        "cohorts",
        "By week of entry",
        "What became of the leads that entered in each week, by its Monday, until the end of the period.",
        ("week of", *_GROUP_COLUMNS),
        tuple((week, *_group(counts)) for week, counts in weeks),
    )


def _sources(found: Outcomes) -> Table:
    by = found.scope.by
    sources = sorted(found.funnel.by_source.items(), key=lambda each: (-each[1]["entered"], each[0]))
    return Table(
        "sources" if by == "source" else "traits",
        f"By {by}",
        f"What became of the leads of each {by}; one with several words for it is a row of its own.",
        (by, *_GROUP_COLUMNS),
        tuple((source, *_group(counts)) for source, counts in sources),
    )


_GROUP_COLUMNS = ("entered", "engaged", "qualified", "won")


def _group(counts: Counter[str]) -> tuple[Cell, ...]:
    return (counts["entered"], *(share(counts, stage) for stage in _GROUP_COLUMNS[1:]))


def _mail(found: Outcomes, name: str, title: str, by: Callable[[MailGroup], str]) -> Table:
    def rows() -> Iterator[tuple[Cell, ...]]:
        for group, mails in grouped(found.mails, by).items():
            yield (group, mails.sent, *(mails.delivered if each == "delivered" else mails.rate(each) for each in _MAIL))

    return Table(
        name,
        title,
        "Mails that were sent in the period, and what people did with them; what machines did is left out. Opens are a "
        "lower bound, as many mail programs hide them.",
        (name.replace("-", " ").removesuffix("s"), "sent", *(each.replace("_", " ") for each in _MAIL)),
        tuple(rows()),
        bar=4,
    )


def _response(found: Outcomes) -> Table:
    response = found.response
    within = response.spells and round((1 - response.left_at(_DAY)) * response.spells)
    return Table(
        "sales-response",
        "How fast sales answers",
        "From the offer of a lead to sales' first word about it; an offer without one counts as open.",
        ("offers", "answered", "answered within a day", "half within"),
        ((response.spells, Rate(response.ended, response.spells), Rate(within, response.spells), response.median),),
    )


def _deals(found: Outcomes) -> Table:
    def row(name: str, deals: Sum) -> tuple[Cell, ...]:
        average = (deals.amount / deals.summed).quantize(CENT) if deals.summed else None
        return (name, len(deals.deals), deals.amount, average)

    return Table(
        "deals",
        "Deals",
        f"Amounts in {found.rates.into}; the average is of the deals whose amount is known.",
        ("outcome", "deals", f"amount in {found.rates.into}", "average"),
        (row("won", found.won), row("lost", found.lost), row("open at the end", found.open)),
    )


def _credit(found: Outcomes) -> Table:
    by_model = {model: found.paths.credits_by(model) for model in MODELS}
    revenue = total_by_channel(found.paths.trace(REVENUE_BY, found.worth()))
    earned = {piece for credits_ in by_model.values() for piece, number in credits_.items() if number}
    pieces = sorted(earned, key=lambda piece: (-by_model[REVENUE_BY].get(piece, 0), piece))
    return Table(
        "credit",
        "Which pieces came before won deals",
        "Won deals, shared out among the mails before them by each model: the columns sum to the deals that a mail "
        f"came before. The amount in {found.rates.into} is shared out by the U. Credit is no proof of effect.",
        ("piece", *MODELS, f"amount in {found.rates.into}"),
        tuple(
            (piece, *(by_model[model].get(piece, 0.0) for model in MODELS), _cents(revenue.get(piece, 0.0)))
            for piece in pieces
        ),
        bar=1 + MODELS.index(REVENUE_BY),
    )


def _cents(amount: float) -> Decimal:
    return Decimal(amount).quantize(CENT)


def pipeline_velocity(found: Outcomes) -> Decimal | None:
    """What the open deals bring a day: their number x win rate x average amount won / median days from opened to won.

    The days are those of won deals alone, as the win rate tells already how many are not; None if anything is unknown.
    """
    lengths = [(deal.at - deal.opened_at) / _DAY for deal in found.won.deals if deal.opened_at is not None]
    days = median(lengths) if lengths else 0.0
    closed = len(found.won.deals) + len(found.lost.deals)
    if not (days > 0 and closed and found.won.summed):
        return None
    average = found.won.amount / found.won.summed
    return (len(found.open.deals) * Decimal(len(found.won.deals)) / closed * average / Decimal(days)).quantize(CENT)

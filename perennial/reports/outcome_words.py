"""A report in plain words: half a page for who reads no tables, and notes on what the figures leave out."""

from collections.abc import Iterator

from nurture.measures.proportions import SMALL, Rate, difference
from perennial.reports.engagement import Engagement, grouped
from perennial.reports.outcome_tables import REVENUE_BY, pipeline_velocity
from perennial.reports.outcomes import Outcomes
from perennial.reports.tables import say, say_likely


def summary_of(found: Outcomes) -> tuple[str, ...]:
    """A few sentences; one alone if there is nothing to tell."""
    if not found.mails and not found.funnel.reached.total():
        return ("Nothing happened in this period: no lead entered a track, and no mail was sent.",)
    return tuple(_sentences(found))


def _sentences(found: Outcomes) -> Iterator[str]:
    reached, steps = found.funnel.reached, found.funnel.steps
    sent = sum(each.mails.sent for each in found.mails)
    yield (
        f"In {found.scope.period.days:,} days {_many(reached['entered'], 'lead')} entered and {_many(sent, 'mail')} "
        f"went out. {_many(reached['engaged'], 'lead')} clicked, visited or answered, "
        f"{reached['qualified']:,} qualified for sales, and "
        f"{_many(len(found.won.deals), 'deal was', 'deals were')} won."
    )
    yield f"Of those who got a mail for the first time, {_with_likely(steps['mailed', 'engaged'].rate)}, engaged."
    cycle = steps["entered", "won"].survival()
    half = (
        f"half become customers within {say(cycle.median)}" if cycle.median else "fewer than half have become customers"
    )
    yield f"Of the leads that entered, {_with_likely(steps['entered', 'won'].rate)}, have won a deal so far; {half}."
    if found.won.summed:
        yield f"The deals won are worth {found.won.amount:,} {found.rates.into}."
    if (velocity := pipeline_velocity(found)) is not None:
        yield f"{_many(len(found.open.deals), 'open deal')} bring about {velocity:,} {found.rates.into} a day."
    if found.response.spells:
        answered = Rate(found.response.ended, found.response.spells)
        median = found.response.median
        half = "" if median is None else f"; half within {say(median)}"
        yield f"Sales answered {_with_likely(answered)}, of its offers{half}."
    if credits_ := found.paths.credits_by(REVENUE_BY):
        piece, number = next(iter(credits_.items()))
        yield f"{piece} has most credit for won deals: {number:.1f} of {sum(credits_.values()):.0f}, by the U model."
    yield from _best_piece(found)


def _best_piece(found: Outcomes) -> Iterator[str]:
    """Whether the piece that is clicked most stands out from the others, or may be lucky."""
    pieces = {
        name: mails for name, mails in grouped(found.mails, lambda mail: mail.piece).items() if mails.sent >= SMALL
    }
    if len(pieces) < 2:
        return
    best = max(pieces, key=lambda name: (_clicked(pieces[name]).value or 0.0, name))
    others = [_clicked(mails) for name, mails in pieces.items() if name != best]
    rest = Rate(sum(each.hits for each in others), sum(each.of for each in others))
    apart = difference(_clicked(pieces[best]), rest)
    if apart.holds(0):
        yield f"No piece is clicked more than the others beyond what chance explains; {best} leads for now."
    else:
        yield (
            f"{best} is clicked most, {_clicked(pieces[best]).value:.1%} against {rest.value:.1%} of the others; "
            "as the best of several it may look better than it is."
        )


def notes_of(found: Outcomes) -> tuple[str, ...]:
    """What the figures leave out, or count in a way that one should know."""
    return tuple(_notes(found))


def _notes(found: Outcomes) -> Iterator[str]:
    yield f"Rates of fewer than {SMALL} are marked as few. What is likely is Wilson's interval at 95%."
    yield from _of_money(found)
    yield from _of_leads(found)


def _of_money(found: Outcomes) -> Iterator[str]:
    for name, deals in (("won", found.won), ("lost", found.lost), ("open", found.open)):
        if deals.without_rate:
            told = ", ".join(sorted({f"{money.currency}" for money in deals.without_rate}))
            which = _many(len(deals.without_rate), f"{name} deal is", f"{name} deals are")
            yield f"{which} in {told}, for which no rate to {found.rates.into} is known: in no sum. Give --rates."
        if deals.without_amount:
            which = _many(deals.without_amount, f"{name} deal", f"{name} deals")
            yield f"{which} without an amount, or of erased leads: counted, and in no sum."
        for deal in deals.deals:
            if deal.unreadable:
                yield f"The deal {deal.id}: {deal.unreadable}."


def _of_leads(found: Outcomes) -> Iterator[str]:
    if found.paths.untouched:
        which = _many(found.paths.untouched, "won deal", "won deals")
        yield f"{which} came without a mail before: no piece has credit for that."
    if earlier := found.funnel.steps["entered", "won"].earlier:
        yield f"{_many(earlier, 'lead')} had won a deal before entering a track: left out of that step."
    if found.erased:
        yield f"{_many(found.erased, 'erased lead')} counted without a name, a source or an amount."
    if found.ahead:
        which = _many(found.ahead, "behaviour is", "behaviours are")
        yield f"{which} dated after now, by a clock that is ahead: counted nowhere yet."
    if found.removed:
        yield f"{_many(found.removed, 'mail')} of past journeys, removed when their time was over: not counted here."


def _with_likely(rate: Rate) -> str:
    return ", ".join(filter(None, (say(rate), say_likely(rate))))


def _clicked(mails: Engagement) -> Rate:
    return mails.rate("clicked")


def _many(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"

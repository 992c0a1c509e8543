"""The consent ledger: what it holds, and what it lets happen."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from models.leads import Consent, SuppressedAddress, Suppression
from nurture.errors import InputError, RefusedError
from perennial.leads import consent
from perennial.leads.identity import Identities
from perennial.leads.importing.importer import import_leads
from perennial.leads.importing.leads_file import LeadRecord
from perennial.leads.importing.mapping import ImportedReason
from perennial.leads.suppressed_addresses import (
    address_hash,
    lift_address,
    suppress_address,
    suppressed_addresses,
)
from perennial.leads.suppression import (
    REASONS,
    SOFT_BOUNCES,
    Reason,
    apply_behaviour,
    count_soft_bounce,
    lift,
    reset_soft_bounces,
    resubscribe,
    suppress,
    suppressions,
)
from perennial.platform.database import Database
from perennial.platform.secrets import Secrets
from tests.builders import NOON, SECRETS, consent_of, does, one, person, rows, settle

LATER = NOON + timedelta(days=1)
ADA = LeadRecord(
    row=2,
    values=(),
    email="Ada@Example.com",
    email_key="ada@example.com",
    external_id=None,
    first_name=None,
    last_name=None,
    company=None,
    country=None,
    time_zone=None,
    default_time_zone="UTC",
    traits={},
    segment={},
    source="fair",
    basis="consent",
    suppress=(),
    behaviours=(),
)


async def ledger(database: Database) -> list[tuple[str, str, str]]:
    return [(line.action, line.basis, line.source) for line in await rows(database, Consent)]


@pytest.fixture(autouse=True)
async def ada(database: Database) -> None:
    await settle(database, person("ada"))


async def test_nobody_asked_is_no_consent(database: Database) -> None:
    """No line, no mail."""
    assert await consent_of(database, "nobody") == "none"


async def test_a_grant_outranks_no_withdrawal_and_the_leads_own_confirmation_does(database: Database) -> None:
    """Whatever the dates; every line stays, as the ledger is evidence."""
    assert await consent_of(database, "ada") == "granted"
    assert await does(database, lambda s: consent.withdraw(s, "ada", NOON, source="phone"))
    assert not await does(
        database, lambda s: consent.grant(s, "ada", LATER, basis="contract", source="signed offer", wording="v2")
    )
    assert await consent_of(database, "ada") == "withdrawn"
    number = await does(database, lambda s: consent.request(s, "ada", LATER, source="page", wording="v1"))
    assert await does(database, lambda s: consent.confirm(s, "ada", number, LATER, source="page"))
    assert await consent_of(database, "ada") == "granted"
    assert await ledger(database) == [
        ("granted", "consent", "form"),
        ("withdrawn", "consent", "phone"),
        ("requested", "consent", "page"),
        ("confirmed", "consent", "page"),
    ]


async def test_an_opt_out_from_before_the_import_still_counts(database: Database) -> None:
    """The list that was imported knew nothing of it; one from before the lead's own return is over."""
    before, after = NOON - timedelta(days=5), LATER + timedelta(days=1)
    await does(database, lambda s: apply_behaviour(s, "ada", "lead.opted_out", before))
    assert await consent_of(database, "ada") == "withdrawn"
    assert await does(database, lambda s: suppressions(s, "ada")) == ("opt-out",)
    number = await does(database, lambda s: consent.request(s, "ada", LATER, source="page", wording="v1"))
    assert await does(database, lambda s: resubscribe(s, "ada", number, LATER, source="page"))
    await does(database, lambda s: apply_behaviour(s, "ada", "lead.opted_out", before))
    assert await does(database, lambda s: suppressions(s, "ada")) == ()
    await does(database, lambda s: apply_behaviour(s, "ada", "lead.opted_out", after))
    assert await consent_of(database, "ada") == "withdrawn"


async def _by_import(database: Database, at: datetime, *suppress: ImportedReason) -> None:
    await import_leads(database, [replace(ADA, suppress=suppress)], at=at)


STOPS: dict[str, Callable[[Database, datetime], Awaitable[object]]] = {
    "event": lambda d, at: does(d, lambda s: apply_behaviour(s, "ada", "lead.opted_out", at)),
    "complaint": lambda d, at: does(d, lambda s: apply_behaviour(s, "ada", "email.complained", at)),
    "page": lambda d, at: does(d, lambda s: suppress(s, "ada", "opt-out", at, source="page")),
    "import": lambda d, at: _by_import(d, at, "opt-out"),
}
GRANTS: dict[str, Callable[[Database, datetime], Awaitable[object]]] = {
    "import": _by_import,
    "identify": lambda d, at: does(
        d,
        lambda s: Identities(SECRETS).resolve(
            s, user_id="u-1", email="ada@example.com", traits={"consent": "consent"}, at=at
        ),
    ),
    "form": lambda d, at: does(d, lambda s: consent.grant(s, "ada", at, basis="contract", source="form")),
}


@pytest.mark.parametrize("days", [-5, 5])
@pytest.mark.parametrize("order", [("stop", "grant"), ("grant", "stop"), ("grant", "stop", "grant")])
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("stop", STOPS)
async def test_no_grant_outranks_a_withdrawal_in_any_order_or_date(
    database: Database, stop: str, grant: str, order: tuple[str, ...], days: int
) -> None:
    """By any entrance of the one and of the other: `days` is how much later the grant says that it was."""
    for each in order:
        if each == "stop":
            await STOPS[stop](database, NOON)
        else:
            await GRANTS[grant](database, NOON + timedelta(days=days))
    assert await consent_of(database, "ada") == "withdrawn"
    assert await does(database, lambda s: suppressions(s, "ada")) in {("opt-out",), ("complaint",)}


async def test_a_request_allows_nothing_and_takes_nothing_back(database: Database) -> None:
    """It is half of a double opt-in."""
    await does(database, lambda s: consent.request(s, "ada", LATER, source="page", wording="v1"))
    assert await consent_of(database, "ada") == "granted"
    await does(database, lambda s: consent.withdraw(s, "ada", LATER, source="phone"))
    await does(database, lambda s: consent.request(s, "ada", LATER, source="page", wording="v1"))
    assert await consent_of(database, "ada") == "withdrawn"


async def test_a_withdrawal_is_written_once(database: Database) -> None:
    """The page, the webhook and the relay may all tell of the same opt-out."""
    assert await does(database, lambda s: consent.withdraw(s, "ada", LATER, source="page"))
    assert not await does(database, lambda s: consent.withdraw(s, "ada", LATER, source="relay"))


@pytest.mark.parametrize(("basis", "source"), [("whim", "form"), ("consent", " "), ("consent", "x" * 65)])
async def test_a_grant_without_basis_or_source_is_refused(database: Database, basis: str, source: str) -> None:
    """Consent that cannot be shown is none."""
    with pytest.raises(InputError):
        await does(database, lambda s: consent.grant(s, "ada", NOON, basis=basis, source=source))
    assert len(await ledger(database)) == 1


async def test_a_confirmation_of_somebody_elses_request_is_refused(database: Database) -> None:
    """A request is a lead's own."""
    await settle(database, person("bo"))
    await does(database, lambda s: consent.withdraw(s, "bo", NOON, source="page"))
    number = await does(database, lambda s: consent.request(s, "ada", NOON, source="page", wording="v1"))
    with pytest.raises(RefusedError):
        await does(database, lambda s: resubscribe(s, "bo", number, LATER, source="page"))
    with pytest.raises(RefusedError):
        await does(database, lambda s: resubscribe(s, "bo", number + 100, LATER, source="page"))


@pytest.mark.parametrize("reason", REASONS)
async def test_a_suppression_acts_once_and_withdraws_what_it_should(database: Database, reason: Reason) -> None:
    """An opt-out and a complaint take consent back; a dead address says nothing about the person's will."""
    assert await does(database, lambda s: suppress(s, "ada", reason, LATER, source="test"))
    assert not await does(database, lambda s: suppress(s, "ada", reason, LATER, source="again"))
    assert await does(database, lambda s: suppressions(s, "ada")) == (reason,)
    expected = "withdrawn" if reason in {"opt-out", "complaint"} else "granted"
    assert await consent_of(database, "ada") == expected
    (row,) = await rows(database, Suppression)
    assert row.source == "test"


@pytest.mark.parametrize("reason", REASONS)
async def test_a_person_may_lift_any_suppression_and_grants_nothing_by_it(database: Database, reason: Reason) -> None:
    """Why stays in the ledger."""
    await does(database, lambda s: suppress(s, "ada", reason, NOON, source="test"))
    before = await consent_of(database, "ada")
    await does(database, lambda s: lift(s, "ada", reason, LATER, why="wrote to us"))
    assert await does(database, lambda s: suppressions(s, "ada")) == ()
    assert await consent_of(database, "ada") == before
    assert (await ledger(database))[-1] == ("lifted", reason, "wrote to us")


async def test_lifting_what_is_not_there_is_refused(database: Database) -> None:
    """And a lift without a reason too, leaving the suppression as it was."""
    with pytest.raises(RefusedError):
        await does(database, lambda s: lift(s, "ada", "complaint", NOON, why="a mistake"))
    await does(database, lambda s: suppress(s, "ada", "complaint", NOON, source="test"))
    with pytest.raises(InputError):
        await does(database, lambda s: lift(s, "ada", "complaint", NOON, why="  "))
    assert await does(database, lambda s: suppressions(s, "ada")) == ("complaint",)


async def test_no_event_but_a_confirmation_or_a_person_ends_an_opt_out(database: Database) -> None:
    """SendGrid's group_resubscribe, a delivery, a new grant by a form: none of them."""
    await does(database, lambda s: suppress(s, "ada", "opt-out", NOON, source="test"))
    await does(database, lambda s: suppress(s, "ada", "complaint", NOON, source="test"))
    async with database.writing() as session:
        for name in ("group_resubscribe", "email.clicked", "form.submitted"):
            await apply_behaviour(session, "ada", name, LATER)
    await does(database, lambda s: reset_soft_bounces(s, "ada"))
    await does(database, lambda s: consent.grant(s, "ada", LATER, basis="consent", source="form"))
    assert await does(database, lambda s: suppressions(s, "ada")) == ("complaint", "opt-out")


async def test_an_opt_out_told_late_does_not_undo_a_return(database: Database) -> None:
    """The relay may have been away for a day; a newer opt-out counts."""
    await does(database, lambda s: suppress(s, "ada", "opt-out", NOON, source="page"))
    number = await does(database, lambda s: consent.request(s, "ada", LATER, source="page", wording="v1"))
    assert await does(database, lambda s: resubscribe(s, "ada", number, LATER, source="page"))
    await does(database, lambda s: apply_behaviour(s, "ada", "lead.opted_out", NOON))
    assert await does(database, lambda s: suppressions(s, "ada")) == ()
    await does(database, lambda s: apply_behaviour(s, "ada", "lead.opted_out", LATER + timedelta(hours=1)))
    assert await does(database, lambda s: suppressions(s, "ada")) == ("opt-out",)


async def test_a_complaint_told_late_counts_whatever_was_confirmed_since(database: Database) -> None:
    """Only a person's lift is newer than a complaint."""
    await does(database, lambda s: consent.grant(s, "ada", LATER, basis="consent", source="form"))
    await does(database, lambda s: apply_behaviour(s, "ada", "email.complained", NOON))
    assert await does(database, lambda s: suppressions(s, "ada")) == ("complaint",)
    await does(database, lambda s: lift(s, "ada", "complaint", LATER, why="wrote to us"))
    await does(database, lambda s: apply_behaviour(s, "ada", "email.complained", NOON))
    assert await does(database, lambda s: suppressions(s, "ada")) == ()


async def test_soft_bounces_in_a_row_make_an_address_dead(database: Database) -> None:
    """The fifth does, and not before."""
    told = [await does(database, lambda s: count_soft_bounce(s, "ada", NOON)) for _ in range(SOFT_BOUNCES)]
    assert told == [False] * (SOFT_BOUNCES - 1) + [True]
    assert await does(database, lambda s: suppressions(s, "ada")) == ("hard-bounce",)


async def test_a_delivery_between_soft_bounces_counts_from_nought_again(database: Database) -> None:
    """A mailbox that was full and is not any more is alive."""
    for _ in range(3):
        for _ in range(SOFT_BOUNCES - 1):
            await does(database, lambda s: count_soft_bounce(s, "ada", NOON))
        await does(database, lambda s: reset_soft_bounces(s, "ada"))
    assert await does(database, lambda s: suppressions(s, "ada")) == ()
    assert (await one(database, "ada")).soft_bounces == 0


async def test_a_lifted_hard_bounce_gets_its_five_tries_again(database: Database) -> None:
    """Or the next one would suppress at once."""
    for _ in range(SOFT_BOUNCES):
        await does(database, lambda s: count_soft_bounce(s, "ada", NOON))
    await does(database, lambda s: lift(s, "ada", "hard-bounce", LATER, why="mailbox is back"))
    assert not await does(database, lambda s: count_soft_bounce(s, "ada", LATER))


async def test_a_suppressed_address_is_known_by_a_hash_that_needs_the_secret(database: Database) -> None:
    """The table names nobody; with another secret nobody is found."""
    assert await does(database, lambda s: suppress_address(s, SECRETS, "eve@example.com", "manual", NOON))
    assert not await does(database, lambda s: suppress_address(s, SECRETS, "eve@example.com", "manual", NOON))
    found = await does(database, lambda s: suppressed_addresses(s, SECRETS, ["eve@example.com", "ada@example.com"]))
    assert found == {"eve@example.com": "manual"}
    assert await does(database, lambda s: suppressed_addresses(s, Secrets("another secret"), ["eve@example.com"])) == {}
    (row,) = await rows(database, SuppressedAddress)
    assert row.hash == address_hash(SECRETS.newest, "eve@example.com")
    assert await does(database, lambda s: lift_address(s, SECRETS, "eve@example.com"))
    assert await does(database, lambda s: suppressed_addresses(s, SECRETS, ["eve@example.com"])) == {}

"""The three tracks, as those who wrote them would tell them. In memory: gate and engine have tests of their own."""

from datetime import date

import pytest

from nurture.bench.rehearsal import Rehearsal
from nurture.content.catalogue import Catalogue
from nurture.content.folder import load_catalogue
from tests.paths import CONTENT
from workflows.tracks.lost_deal import lost_deal
from workflows.tracks.new_lead import new_lead
from workflows.tracks.re_engagement import re_engagement

RETAILER = {"topic": "forecasting", "industry": "retail"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(CONTENT)


def test_a_silent_new_lead_gets_weekly_lessons_on_its_topic_then_the_guides(catalogue: Catalogue) -> None:
    """Lessons a week apart, the downloaded topic first, then what fits any; the guides; an open invitation."""
    story = Rehearsal(new_lead, catalogue=catalogue, traits=RETAILER).passes(days=120)
    assert story.pieces[:4] == [
        "welcome",
        "forecasting-1-start-with-a-range",
        "forecasting-2-beat-the-naive-one",
        "forecasting-3-a-monthly-review",
    ]
    lessons = [day.date() for day, piece in story.sent if piece.startswith("forecasting")]
    assert lessons == [date(2026, 1, 19), date(2026, 1, 26), date(2026, 2, 2)]
    assert story.pieces[-2:] == ["implementation-week-by-week", "talk-to-us"]
    assert story.outcome == "nurtured"


def test_a_new_lead_that_clicks_gets_proof_from_its_industry_next(catalogue: Catalogue) -> None:
    """Engagement turns lessons into case studies."""
    story = Rehearsal(new_lead, catalogue=catalogue, traits=RETAILER)
    story.passes(days=1).does("email.clicked", "welcome").passes(days=8)
    assert story.pieces == ["welcome", "case-retail-empty-shelves"]


def test_a_warm_lead_that_returns_to_pricing_is_offered_to_sales_at_once(catalogue: Catalogue) -> None:
    """The spike: three clicks, a form and pricing within two weeks."""
    story = Rehearsal(new_lead, catalogue=catalogue, traits=RETAILER).passes(days=8)
    for piece in ("welcome", "case-retail-empty-shelves", "case-first-ninety-days"):
        story.does("email.clicked", piece)
    story.does("form.submitted", "contact").does("page.viewed", "/pricing").does("page.viewed", "/pricing/teams")
    assert story.did[-1].endswith("hand_off:sales")
    before = list(story.pieces)
    story.does("sales.accepted")
    assert story.outcome == "handed to sales"
    assert story.passes(days=200).pieces == before


def test_a_lead_on_offer_is_not_offered_again_when_its_score_reaches_the_threshold(catalogue: Catalogue) -> None:
    """A return to pricing offers it; the score that follows does not, nor wakes anything."""
    story = Rehearsal(new_lead, catalogue=catalogue, traits=RETAILER).passes(days=8).scores(60)
    story.does("email.replied", "welcome").does("event.attended", "webinar").does("email.clicked", "welcome")
    story.does("email.clicked", "welcome").does("page.viewed", "/pricing")
    assert [key for key in story.did if "hand_off" in key] == ["hand_off:sales"]
    story.does("demo.requested")
    assert [key for key in story.did if "hand_off" in key] == ["hand_off:sales"]
    assert story.does("sales.accepted").outcome == "handed to sales"
    assert [key for key in story.did if "hand_off" in key] == ["hand_off:sales"]


def test_a_lead_that_sales_rejects_goes_back_to_its_lessons(catalogue: Catalogue) -> None:
    """Recycled: the interrupted wait starts again, and the rejection lowers the score."""
    story = Rehearsal(new_lead, catalogue=catalogue, traits=RETAILER).scores(80)
    assert story.did[-1].endswith("hand_off:sales")
    story.does("sales.rejected", "no budget")
    assert story.outcome is None
    assert story.passes(days=15).did[-1].startswith("send:")


def test_an_offer_that_sales_ignores_is_escalated_then_taken_back(catalogue: Catalogue) -> None:
    """Two days to answer, an alert, five more days, and the lead is nurtured on."""
    story = Rehearsal(new_lead, catalogue=catalogue, traits=RETAILER).scores(80).passes(days=3)
    assert "alert" in story.did[-1]
    assert story.passes(days=30).did[-1].startswith("send:")


def test_a_lost_deal_is_kept_in_touch_with_each_month_then_rests(catalogue: Catalogue) -> None:
    """A thank-you, industry, product and check-in month by month; reconsider; rest."""
    story = Rehearsal(lost_deal, catalogue=catalogue, traits=RETAILER).passes(days=240)
    assert [(day.date(), piece) for day, piece in story.sent] == [
        (date(2026, 1, 8), "lost-deal-thanks"),
        (date(2026, 2, 7), "industry-report-retail"),
        (date(2026, 3, 9), "product-update-1"),
        (date(2026, 4, 8), "lost-deal-check-in"),
        (date(2026, 5, 8), "product-update-2"),
        (date(2026, 6, 7), "industry-report"),
        (date(2026, 7, 7), "reconsider"),
        (date(2026, 7, 21), "rest-note"),
    ]
    assert story.outcome == "rested"


def test_second_thoughts_of_a_lost_deal_go_to_sales(catalogue: Catalogue) -> None:
    """A reply in month two is an open door."""
    story = Rehearsal(lost_deal, catalogue=catalogue, traits=RETAILER).passes(days=40)
    story.does("email.replied", "industry-report-retail").does("sales.accepted")
    assert story.outcome == "reconsidered"


def test_a_dormant_lead_that_stays_silent_is_let_go(catalogue: Catalogue) -> None:
    """Three light touches, then sunset."""
    story = Rehearsal(re_engagement, catalogue=catalogue).passes(days=90)
    assert story.pieces == ["still-interested", "best-of", "last-call"]
    assert story.outcome == "sunset"


def test_a_sign_of_life_brings_a_dormant_lead_back_to_the_new_lead_track(catalogue: Catalogue) -> None:
    """A click on the second touch is enough."""
    story = Rehearsal(re_engagement, catalogue=catalogue).passes(days=25).does("email.clicked", "best-of")
    assert story.did == ["send:still-interested", "send:best-of", "enrol:new-lead"]
    assert story.outcome == "revived"


@pytest.mark.parametrize("track", [new_lead, lost_deal, re_engagement], ids=lambda track: track.name)
def test_an_opt_out_ends_every_track_at_once(track: object, catalogue: Catalogue) -> None:
    """Nothing more comes, however long one waits."""
    story = Rehearsal(track, catalogue=catalogue).passes(days=5)  # type: ignore[arg-type]
    before = list(story.pieces)
    story.does("lead.opted_out")
    assert story.outcome == "exited: opted out"
    assert story.passes(days=200).pieces == before

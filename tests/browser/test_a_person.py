"""A person with a browser and a terminal, in `starter.py dev`: the whole way from a mail to a journey and back."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from perennial.mailroom.client import MailboxClient
from tests.browser.conftest import PATIENCE, Dev

ADA, BEN = "haeun.yoon@tidewateroutfitters.example", "jiho.choi@yarrowgoods.example"
"""Two leads of the sample. The one clicks and unsubscribes; the other stays, and shows that time passes."""


@pytest.mark.browser
def test_a_click_moves_the_journey_and_an_unsubscribe_ends_every_mail(dev: Dev, browser: BrowserContext) -> None:
    """In the mailbox, in the Temporal UI and in `show`; and after the unsubscribe nothing comes, whatever track."""
    dev.starter("import", "sample/leads.csv", "--map", "sample/mapping.toml", "--rejects", f"{dev.data_dir}/bad.csv")
    for lead in (ADA, BEN):
        dev.starter("enrol", "new-lead", "--lead", lead)
    before = dev.json("show", ADA)
    lead_id = before["lead"]["id"]
    assert before["score"]["stage"] == "awareness"

    # The mail arrives in the mailbox, and its link is clicked.
    mail = browser.new_page()
    mail.goto(f"{dev.inbox}/?to={ADA}&live=1")
    mail.get_by_role("link", name="your guide is here").click()
    paper = mail.frame_locator("iframe")
    with browser.expect_page() as opened:
        paper.get_by_role("link", name="Open the guide").click()
    expect(opened.value.get_by_role("heading", name="The click is counted")).to_be_visible()

    # The journey reacts: in the Temporal UI ...
    ui = browser.new_page()
    journey(ui, dev, f"new-lead/{lead_id}")
    expect(ui.get_by_text("Workflow Execution Signaled").first).to_be_visible()
    ui.get_by_role("tab", name="User Metadata").click()
    details = ui.locator("iframe").last.content_frame.locator("body")
    until(ui, lambda: expect(details).to_contain_text("stage consideration", timeout=5_000))
    # ... and in `show`.
    after = dev.starter("show", ADA)
    assert "clicked a link in welcome" in after
    assert "next piece consideration: case-" in after

    # On a second track too, the lead unsubscribes by the mail's link.
    dev.starter("enrol", "re-engagement", "--lead", ADA)
    with browser.expect_page() as opened:
        paper.get_by_role("link", name="Unsubscribe").click()
    page = opened.value
    page.get_by_role("button", name="Unsubscribe from everything").click()
    expect(page.get_by_role("status")).to_have_text("You are unsubscribed. We will not write to you again.")

    # Both journeys end ...
    for track in ("new-lead", "re-engagement"):
        journey(ui, dev, f"{track}/{lead_id}")
        expect(ui.get_by_text("Workflow Execution Completed").first).to_be_visible()
    standings = dev.json("show", ADA)["standings"]
    assert {each["track"]: each["outcome"] for each in standings} == dict.fromkeys(
        ("new-lead", "re-engagement"), "exited: opted out"
    )
    assert "opt-out" in dev.starter("enrol", "lost-deal", "--lead", ADA, code=3)

    # ... and while another lead gets its next mails, nothing more comes.
    mailbox = MailboxClient(dev.inbox)
    sent = [row["seq"] for row in mailbox.accepted() if row["email"] == ADA]
    had = len(mailbox.messages(to=BEN))
    mail.goto(f"{dev.inbox}/?to={BEN}&live=1")
    expect(mail.locator("ol.mails > li").nth(had + 1)).to_be_visible()
    assert [row["seq"] for row in mailbox.accepted() if row["email"] == ADA] == sent
    assert mailbox.totals()["doubled"] == 0


def until(page: Page, seen: Callable[[], None]) -> None:
    """Look at a page that does not refresh itself, and load it again, until something is seen there."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return seen()
        except AssertionError:
            if time.monotonic() > end:
                raise
            page.reload()


def journey(ui: Page, dev: Dev, workflow_id: str) -> None:
    """Find a journey in the Temporal UI's list and open its history."""
    ui.goto(f"{dev.temporal_ui}/namespaces/default/workflows")
    ui.get_by_role("link", name=workflow_id, exact=True).first.click()
    ui.get_by_role("tab", name="Event History").click()

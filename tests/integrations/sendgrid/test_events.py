"""What SendGrid's events say, by the one reading that webhook and relay share."""

from typing import Any

import pytest

from perennial.integrations.sendgrid.events import STOPS, kind_of


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"event": "processed"}, "other"),
        ({"event": "deferred"}, "other"),
        ({"event": "delivered"}, "delivered"),
        ({"event": "open"}, "open"),
        ({"event": "click"}, "click"),
        ({"event": "spamreport"}, "complained"),
        ({"event": "unsubscribe"}, "opted-out"),
        ({"event": "group_unsubscribe"}, "opted-out"),
        ({"event": "group_resubscribe"}, "other"),
        ({"event": "bounce", "status": "5.1.1"}, "hard-bounce"),
        ({"event": "bounce", "status": "4.2.2"}, "soft-bounce"),
        ({"event": "bounce", "status": "5.7.1"}, "sender-rejected"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "opted-out"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "complained"),
        ({"event": "dropped", "reason": "Bounced Address"}, "hard-bounce"),
        ({"event": "dropped", "reason": "Spam Content"}, "sender-rejected"),
        ({"event": "account_status_change"}, "other"),
        ({"event": 7}, "other"),
        ({}, "other"),
    ],
)
def test_each_type_says_one_thing(event: dict[str, Any], kind: str) -> None:
    """Types that are new, or no text, concern nobody."""
    assert kind_of(event) == kind


def test_only_the_lead_and_a_dead_address_stop_mail() -> None:
    """A soft bounce, and a rejection of the sender, stop nothing."""
    assert set(STOPS) == {"opted-out", "complained", "hard-bounce"}

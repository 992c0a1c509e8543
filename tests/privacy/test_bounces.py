"""What a bounce says about the address, the mailbox, or us."""

import pytest

from activities.bounces import bounce_of


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"status": "5.1.1", "type": "bounce", "reason": "550 5.1.1 user unknown"}, "hard"),
        ({"status": "5.0.0", "type": "bounce", "bounce_classification": "Invalid Address"}, "hard"),
        ({"type": "bounce"}, "hard"),
        ({"status": "4.2.2", "type": "blocked", "reason": "452 4.2.2 over quota"}, "soft"),
        ({"status": "5.2.2", "type": "bounce", "reason": "552 mailbox full"}, "soft"),
        ({"type": "blocked", "reason": "connection timed out"}, "soft"),
        ({"type": "bounce", "bounce_classification": "Mailbox Unavailable"}, "soft"),
        ({"status": "5.7.1", "type": "bounce", "reason": "550 5.7.1 message refused"}, "ours"),
        ({"status": "5.7.26", "type": "blocked", "reason": "fails DMARC"}, "ours"),
        ({"type": "blocked", "reason": "554 your IP is on a block list, see rbl.example"}, "ours"),
        ({"type": "blocked", "bounce_classification": "Reputation"}, "ours"),
        ({"type": "blocked", "bounce_classification": "Content", "reason": "looks like spam"}, "ours"),
        ({"status": "4.7.0", "type": "blocked", "reason": "421 4.7.0 too many messages"}, "ours"),
        ({"status": None, "reason": None, "bounce_classification": None}, "hard"),
    ],
)
def test_a_bounce_is_read_for_whose_fault_it_is(event: dict[str, str | None], said: str) -> None:
    """Only a hard one suppresses; ours is no lead's fault."""
    assert bounce_of(event) == said

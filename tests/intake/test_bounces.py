"""A table of refusals: what each says about the address, the mailbox, or us. Read alike from SMTP and SendGrid."""

import pytest

from perennial.intake.bounces import Reading, read_bounce, without_names
from perennial.integrations.sendgrid.bounces import bounce_kind

HARD = [
    "550 5.1.1 <ada@reader.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking",
    "550 5.1.1 nobody here",
    "550 5.7.1 User unknown",
    "550 5.7.1 no such user: policy",
    "550 5.7.1 <nospam@reader.example>: unknown user",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "550 5.4.1 Recipient address rejected: Access denied. [abc.prod.protection.outlook.com]",
    "550 No such user here",
    "550 5.2.1 The email account that you tried to reach is disabled",
    "554 delivery error: dd This user doesn't have a yahoo.example account",
    "550 Invalid recipient",
    "550 5.1.2 Host or domain name not found",
    "556 5.1.10 recipient address has null MX",
    "550 5.1.6 recipient no longer on server",
    "550 5.1.1 user unknown (mx7.spamfilter.example)",
    "550 5.1.1 sorry, no mailbox here by that name at policy-partners.example",
    "550 Benutzer unbekannt",
    "550 5.1.1 Unknown user. Please check the address and try again.",
    "550 5.1.1 Recipient address rejected: User unknown in relay recipient table",
    "550 5.1.1 mailbox of nospam@blocked.example does not exist",
    "550 Requested action not taken: mailbox unavailable, unknown user",
]
SOFT = [
    "452 4.2.2 The recipient's inbox is out of storage space",
    "552 5.2.2 mailbox full",
    "552 5.7.0 user over quota",
    "550 5.1.1 mailbox over quota",
    "450 4.2.0 Greylisted, try again later",
    "450 4.1.1 user unknown",
    "550 5.4.7 Delivery expired (message too old)",
    "550 4.4.7 Message expired",
    "550 5.4.4 unable to route",
    "421 4.3.2 server busy",
    "550 5.4.6 mail loop",
    "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery",
    "550 5.3.0 other mail system problem",
    "550 mailbox unavailable",
    "554 transaction failed",
    "550 5.0.0 something else",
    "something nobody knows",
    "",
    "550 5.2.0 refused by nospam.blocklist.example",
    "554 host spamfilter[192.0.2.7] said nothing more",
    "450 4.7.1 Greylisting in action, please come back later",
    "550 5.5.0 Requested action not taken: mailbox unavailable",
    "554 5.5.1 Error: no valid recipients",
    "unable to get mx info: failed to get IPs from PTR record: lookup <nil>: unrecognized address",
    "552 Requested mail action aborted, mailbox not found (storage exceeded)",
]
OURS = [
    "450 4.1.8 <maya@northwind.example>: Sender address rejected: Domain not found",
    "550 5.1.8 Domain of sender address maya@northwind.example does not exist",
    "553 Domain of sender address does not exist",
    "501 5.1.7 bad sender's mailbox address syntax",
    "553 5.1.7 invalid",
    "552 5.3.4 Message too big for system",
    "552 5.3.4 refused",
    "501 5.5.4 invalid arguments",
    "503 5.5.1 bad sequence of commands",
    "554 5.6.0 lone newline",
    "554 5.6.7 no international addresses",
    "550 5.7.1 message refused",
    "550 5.7.26 this mail is unauthenticated",
    "550 5.7.27 sender has null MX",
    "454 4.7.1 Relay access denied",
    "550 relaying denied",
    "554 5.7.1 <ada@reader.example>: Relay access denied",
    "421 4.7.0 too many messages",
    "450 4.7.1 rate limit exceeded",
    "550 5.4.5 Daily sending quota exceeded",
    "550 5.1.1 rejected as spam",
    "554 your IP is on a block list",
    "550 Sender unknown",
    "550 Your account has been suspended",
    "554 unable to relay for this user",
    "550 Sender address rejected: unknown user",
    "554 5.7.1 Client host rejected: cannot find your reverse DNS",
    "530 5.7.0 Authentication required",
    "550 5.7.1 our policy refuses bulk mail",
    "550 5.1.0 bad sender",
    "550 Maximum number of messages per hour exceeded",
    "554 Message contains suspicious link",
    "450 4.7.0 try again later",
]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *((text, "hard-bounce") for text in HARD),
        *((text, "soft-bounce") for text in SOFT),
        *((text, "sender-rejected") for text in OURS),
    ],
)
def test_a_refusal_is_read_alike_from_both_providers(text: str, said: Reading) -> None:
    """As the reply of an SMTP server, and as the reason that SendGrid passes on."""
    assert read_bounce(text) == said
    assert bounce_kind({"type": "bounce", "reason": text}) == said


@pytest.mark.parametrize(
    ("status", "said"),
    [
        *((f"5.1.{detail}", "hard-bounce") for detail in (1, 2, 3, 6, 10)),
        *((f"{kind}.1.{detail}", "sender-rejected") for detail in (7, 8) for kind in (4, 5)),
        *((f"4.1.{detail}", "soft-bounce") for detail in (1, 2, 3, 6)),
        *((f"5.2.{detail}", "soft-bounce") for detail in (0, 1, 2)),
        *((f"5.4.{detail}", "soft-bounce") for detail in range(8)),
        ("5.3.0", "soft-bounce"),
        ("5.3.4", "sender-rejected"),
        *(
            (f"{kind}.{subject}.{detail}", "sender-rejected")
            for kind in (4, 5)
            for subject in (5, 6, 7)
            for detail in (0, 1, 26)
        ),
        ("5.0.0", "soft-bounce"),
        ("5.9.9", "soft-bounce"),
        ("", "soft-bounce"),
    ],
)
def test_a_status_alone_says_it(status: str, said: Reading) -> None:
    """Where the receiver gives no words."""
    assert read_bounce("", status=status) == said


@pytest.mark.parametrize(
    ("classification", "status", "text", "said"),
    [
        ("Invalid Address", "", "", "hard-bounce"),
        ("Invalid Address", "5.0.0", "", "hard-bounce"),
        ("Invalid Address", "5.1.8", "Domain of sender address does not exist", "sender-rejected"),
        ("Invalid Address", "5.7.1", "blocked", "sender-rejected"),
        ("Invalid Address", "4.2.2", "", "soft-bounce"),
        ("Reputation", "5.1.1", "", "sender-rejected"),
        ("Reputation", "5.7.1", "no such user", "hard-bounce"),
        ("Content", "", "", "sender-rejected"),
        ("Frequency or Volume Too High", "", "", "sender-rejected"),
        ("Technical", "", "", "soft-bounce"),
        ("Mailbox Unavailable", "", "", "soft-bounce"),
        ("Unclassified", "", "", "soft-bounce"),
    ],
)
def test_a_classification_weighs_less_than_the_receivers_words(
    classification: str, status: str, text: str, said: Reading
) -> None:
    """SendGrid guesses where the receiver may have said it."""
    assert read_bounce(text, status=status, classification=classification) == said


def test_names_are_taken_out_and_words_and_statuses_stay() -> None:
    """A host, an address, a link and an IP address are no reason."""
    text = "550 5.1.1 <nospam@a.example> mx7.spamfilter.example [10.1.2.3] https://x.example/policy user unknown.Sorry"
    assert without_names(text) == "550 5.1.1 (name) (name) (name) (name) user unknown.Sorry"

"""Make the message that a provider gets, from a touch and its recipient."""

from dataclasses import dataclass
from pathlib import Path

from temporalio.exceptions import ApplicationError

from nurture.content.catalogue import Piece
from nurture.errors import ContentError
from nurture.people.words import trait_words
from perennial.channels.ports import Envelope
from perennial.channels.render import Reader, render
from perennial.intake.bots import HIDDEN_LINK
from perennial.journeys.ledger import LedgerEntry
from perennial.journeys.send_request import Recipient
from perennial.platform.tokens import Tokens


@dataclass(frozen=True)
class From:
    """The sender of every message, and what every message must carry."""

    name: str
    address: str
    reply_to: str
    postal_address: str
    public_url: str


def envelope_of(
    touch: LedgerEntry,
    track: str,
    lead: Recipient,
    piece: Piece,
    variant: int,
    *,
    sender: From,
    tokens: Tokens,
    layouts: Path,
) -> Envelope:
    """The message. Raises ApplicationError, which names the piece and not the lead, if the piece does not render."""
    traits = trait_words(lead.traits)
    reader = Reader(lead.first_name, lead.company, traits.get("topic"), traits.get("industry"))
    public_url = sender.public_url.rstrip("/")
    unsubscribe = f"{public_url}/u/{tokens.sign('preferences', touch.id)}"
    try:
        mail = render(
            piece,
            reader,
            postal_address=sender.postal_address,
            unsubscribe_url=unsubscribe,
            variant=variant,
            folder=layouts,
            hidden_url=f"{public_url}{HIDDEN_LINK}{touch.id}",
        )
    except ContentError:
        # The text of the error may quote the lead's profile, and would enter the journey's history.
        raise ApplicationError(f"{piece.id} does not render for this lead", type="ContentError") from None
    return Envelope(
        touch_id=touch.id,
        lead_id=lead.id,
        to=lead.email,
        sender_name=sender.name,
        sender_address=sender.address,
        reply_to=sender.reply_to,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        categories=(track, piece.id),
        at=touch.at,
        headers={
            "List-Unsubscribe": f"<{unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )

"""A provider that stores messages in the database, for development, demos and tests."""

from dataclasses import dataclass

from sqlalchemy import select

from models.touches import Message
from perennial.channels.ports import Envelope, Fate
from perennial.platform.database import Database, upsert_ignore

_INSERT = upsert_ignore(Message)


@dataclass(frozen=True)
class DatabaseProvider:
    """Stores each message once, by its touch."""

    database: Database

    async def send(self, envelope: Envelope) -> str:
        """Store the message; its id is the touch's."""
        row = {
            "touch_id": envelope.touch_id,
            "lead_id": envelope.lead_id,
            "to": envelope.to,
            "sender": f"{envelope.sender_name} <{envelope.sender_address}>",
            "subject": envelope.subject,
            "text": envelope.text,
            "html": envelope.html,
            "headers": dict(envelope.headers),
            "categories": list(envelope.categories),
            "at": envelope.at,
        }
        async with self.database.transaction() as connection:
            await connection.execute(_INSERT, row)
        return envelope.touch_id

    async def fate(self, touch_id: str) -> Fate:
        """Accepted if it is stored, else absent: never unknown."""
        async with self.database.reading() as session:
            found = await session.scalar(select(Message.touch_id).where(Message.touch_id == touch_id))
        return "accepted" if found else "absent"

"""Put together the pages that leads reach through the links in our mails."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter

from nurture.content.catalogue import ANY
from perennial.app.connected import sender_of
from perennial.app.programme import programme_of
from perennial.channels.ports import Provider
from perennial.integrations.clicks.links import TrackedLinks
from perennial.platform.database import Database
from perennial.platform.secrets import secrets_of, tokens_of
from perennial.platform.settings import Settings
from perennial.web.preferences import Preferences
from perennial.web.signups import Signups


def page_routers(
    settings: Settings, database: Database, provider: Provider, now: Callable[[], datetime]
) -> tuple[APIRouter, ...]:
    """Routers for preferences and unsubscribing, and for our own tracked links. Raises SettingsError, ContentError."""
    tokens, sender = tokens_of(settings), sender_of(settings)
    topics = {piece.topic for piece in programme_of(settings).catalogue.pieces.values()} - {ANY}
    return (
        Preferences(database, tokens, provider, sender, sorted(topics), now).router(),
        TrackedLinks(database, tokens, sender, now).router(),
    )


def signups_of(settings: Settings, database: Database, provider: Provider, now: Callable[[], datetime]) -> Signups:
    """What asks addresses that came through a browser to confirm."""
    return Signups(database, secrets_of(settings), provider, sender_of(settings), now)

"""The pages that leads reach through the links in our mails, put together from the settings."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter

from activities.provider import Provider
from activities.render import load_catalogue
from nurture.content import ANY
from web.clicks import Clicks
from web.preferences import Preferences
from wiring.database import Database
from wiring.secret import tokens_of
from wiring.settings import Settings
from wiring.worker import sender_of


def page_routers(
    settings: Settings, database: Database, provider: Provider, now: Callable[[], datetime]
) -> tuple[APIRouter, ...]:
    """Preferences and unsubscribing, and our own tracked links. Raises SettingsError, ContentError."""
    tokens, sender = tokens_of(settings), sender_of(settings)
    topics = {piece.topic for piece in load_catalogue(settings.content_dir).pieces.values()} - {ANY}
    return (
        Preferences(database, tokens, provider, sender, sorted(topics), now).router(),
        Clicks(database, tokens, sender, now).router(),
    )

"""Every table: import this where the whole schema is needed, as Alembic and the database do."""

from models import access, episodes, intake, journeys, leads, past, shared, touches
from models.base import Base

__all__ = ["Base", "access", "episodes", "intake", "journeys", "leads", "past", "shared", "touches"]

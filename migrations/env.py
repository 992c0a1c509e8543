"""What Alembic runs: inside a connection that `perennial.platform.migrations` opened, or from its own command line."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, Connection, text

from models.tables import Base
from models.types import UtcDateTime

# One migration at a time, also when several machines start at once; the number is ours and means nothing.
MIGRATION_LOCK = 7_240_115_603


def render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Spell our types in SQLAlchemy's words: a migration must not change when models/types.py does."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def migrate(connection: Connection) -> None:
    """Run the migrations asked for in one transaction: all of them, or none."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=True,  # SQLite alters a table by rebuilding it
        transactional_ddl=True,  # SQLite too, since our engine emits its BEGIN
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


async def migrate_from_command_line() -> None:
    """Connect to the database that `alembic -x url=...` names."""
    from perennial.platform.migrations import migration_connection  # noqa: PLC0415 - only the command line needs it

    url = context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise SystemExit("name the database: alembic -x url=sqlite+aiosqlite:///file.db ...")
    async with migration_connection(url) as connection:
        await connection.run_sync(migrate)


open_connection: Connection | None = context.config.attributes.get("connection")
if open_connection is None:
    asyncio.run(migrate_from_command_line())
else:
    migrate(open_connection)

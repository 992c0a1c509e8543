"""What the database said, in one line with its remedy, and without anybody's personal data."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import asyncpg
from sqlalchemy import exc
from sqlalchemy.engine import URL, ExceptionContext

from nurture.errors import SettingsError
from perennial.platform.program import command

MIGRATE = f"run `{command('migrate')}`"

LOCKED = "the database is locked by another program: close it, or wait until it is done"

# By the longest prefix of the name of SQLite's result code (https://www.sqlite.org/rescode.html).
SQLITE_REMEDIES = {
    "SQLITE_FULL": "the disk is full: free some space; nothing was half written",
    "SQLITE_READONLY": "the database is read-only: make the file and its folder writable",
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_CANTOPEN": f"the database file cannot be opened: {MIGRATE}, or give access to its folder",
    "SQLITE_PERM": "the database file cannot be opened: give this user access to the file and its folder",
    "SQLITE_AUTH": "the database file cannot be opened: give this user access to the file and its folder",
    "SQLITE_NOTADB": "the file is not an SQLite database: name another file",
    "SQLITE_CORRUPT": "the database file is damaged: restore it from a backup",
    "SQLITE_IOERR": "the disk is full or failing: free some space or check the disk, then start again",
}
# By the longest prefix of the SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).
POSTGRES_REMEDIES = {
    "53100": "the database server's disk is full: free some space there; nothing was half written",
    "53300": "the database server has no connection left: raise its max_connections or run fewer workers",
    "25006": "the database is read-only: connect to the primary server, not to a standby",
    "55P03": "the database is locked by a long transaction: wait until it is done, then start again",
    "40P01": "two transactions waited for each other: run the same again",
    "40001": "two transactions changed the same rows: run the same again",
    "42P01": f"the database is behind this version of Perennial: {MIGRATE}",
    "42703": f"the database is behind this version of Perennial: {MIGRATE}",
    "42501": "the database user lacks a right: grant it the tables and their schema",
    "3D000": "the database does not exist on that server: create it, or correct the database URL",
    "28": "the database server refused the user or its password: correct the database URL",
    "08": "the database server cannot be reached: start it, or correct the address in the database URL",
    "57P": "the database server is starting or stopping: wait until it is up",
}
UNREACHABLE = POSTGRES_REMEDIES["08"]
# What the database, not the statement, is to blame for: it is away, full, locked, behind, or ended one of two at odds.
PASSING_SQLITE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_IOERR")
PASSING_POSTGRES = ("08", "25006", "28", "3D", "40", "42P01", "42501", "42703", "53", "55", "57", "58")
# PostgreSQL quotes the offending value in the messages of class 22, but not in these.
QUIET_DATA_ERRORS = frozenset({"22001", "22003", "22021", "22P05"})


def explain_database_error(error: BaseException, url: URL | None = None) -> SettingsError:
    """One line that says what is wrong, at which address (never its password), and what to do about it."""
    place = "" if url is None else f"{place_of(url)}: "
    return SettingsError(place + next(filter(None, map(_remedy, _causes(error))), _unexplained(error)))


def place_of(url: URL) -> str:
    """Where a database is, as a person names it: the file of SQLite, else the URL without driver and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def is_outage(error: BaseException) -> bool:
    """Whether the database failed for a reason of its own: the same again may succeed once it is well."""
    return any(map(_passes, _causes(error)))


def hide_values(context: ExceptionContext) -> None:
    """Take row values out of an error before anyone sees it; a listener for the engine's `handle_error`.

    `hide_parameters` covers SQLAlchemy's own text only. PostgreSQL adds `DETAIL: Key (email)=(...)`, and
    asyncpg quotes an argument it cannot encode; both end up in the text of three chained exceptions.
    """
    adapted, shown = context.original_exception, context.sqlalchemy_exception
    driver = adapted.__cause__
    if not isinstance(driver, asyncpg.PostgresError | asyncpg.InterfaceError):
        return
    adapted.args = (f"{type(driver).__name__}: {forget_values(driver)}",)
    if shown is not None:
        shown.args = adapted.args


def forget_values(driver: Exception) -> str:
    """Take row values out of an error of asyncpg itself; what it says now."""
    state = getattr(driver, "sqlstate", None)
    if state is None or (state.startswith("22") and state not in QUIET_DATA_ERRORS):
        said = "a value does not fit its column" if isinstance(driver, ValueError) or state else str(driver)
    else:
        said = str(driver.args[0])
    driver.args = (said,)
    for part in ("detail", "hint", "where", "internal_query"):
        if hasattr(driver, part):
            setattr(driver, part, None)
    return said


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or getattr(error, "orig", None) or error.__context__


def _passes(error: BaseException) -> bool:
    if name := getattr(error, "sqlite_errorname", None):
        return str(name).startswith(PASSING_SQLITE) or str(error).startswith(("no such table", "no such column"))
    if state := getattr(error, "sqlstate", None):
        return str(state).startswith(PASSING_POSTGRES)
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OSError | TimeoutError | exc.TimeoutError | asyncpg.InterfaceError)


def _remedy(error: BaseException) -> str | None:
    if isinstance(error, exc.TimeoutError):
        return "every database connection is in use: run fewer activities at a time in one worker"
    if name := getattr(error, "sqlite_errorname", None):
        if str(error).startswith(("no such table", "no such column")):
            return POSTGRES_REMEDIES["42P01"]
        return _longest_prefix(SQLITE_REMEDIES, name)
    if state := getattr(error, "sqlstate", None):
        return _longest_prefix(POSTGRES_REMEDIES, state)
    return UNREACHABLE if isinstance(error, OSError) else None


def _longest_prefix(remedies: dict[str, str], code: str) -> str | None:
    fitting = [prefix for prefix in remedies if code.startswith(prefix)]
    return remedies[max(fitting, key=len)] if fitting else None


def _unexplained(error: BaseException) -> str:
    """Names and codes only: the text of an unknown error may quote a row."""
    for cause in _causes(error):
        if isinstance(cause, sqlite3.Error | asyncpg.PostgresError):
            code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
            return f"the database refused ({type(cause).__name__}, {code}): see the log for the statement"
    return f"the database failed ({type(error).__name__}): see the log"

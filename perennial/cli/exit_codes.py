"""How a command ends: its exit code, and for an error the line that says what is wrong and what to do.

0 done, 1 a bug of ours, 2 bad input, 3 refused by a rule, 4 settings or surroundings, 130 interrupted.
"""

import traceback
from pathlib import Path

from sqlalchemy import exc
from temporalio.service import RPCError
from typer.exceptions import TyperException

from nurture.errors import PerennialError, RefusedError, SettingsError
from perennial.platform.database_errors import explain_database_error

DONE, BUG, BAD_INPUT, REFUSED, SURROUNDINGS, INTERRUPTED = 0, 1, 2, 3, 4, 130


def explain_error(error: Exception) -> tuple[int, str]:  # noqa: PLR0911 - one return a kind of error
    """The exit code of an error, and a line for the user: what is wrong and what to do."""
    match error:
        case RefusedError():
            return REFUSED, str(error)
        case SettingsError():
            return SURROUNDINGS, str(error)
        case PerennialError():
            return BAD_INPUT, str(error)
        case TyperException():
            context = getattr(error, "ctx", None)
            see = f" (see `{context.command_path} --help`)" if context else ""
            text = " ".join(error.format_message().split()).rstrip(".")
            return BAD_INPUT, text[:1].lower() + text[1:] + see
        case exc.SQLAlchemyError():
            return SURROUNDINGS, str(explain_database_error(error))
        case RPCError():
            text = (error.message.splitlines() or [""])[0][:200]
            return (
                SURROUNDINGS,
                f"the Temporal server refused ({error.status.name}: {text}); try again later, or look at its log",
            )
        case OSError() if error.filename:
            return SURROUNDINGS, f"{error.filename}: {error.strerror}"
        case _:
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
            return BUG, (
                f"a bug in Perennial: {type(error).__name__} in {place}; run the same with --debug, "
                "and report what it prints in the project's issue tracker"
            )

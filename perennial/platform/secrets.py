"""The installation's secret: it signs the links in our mails and keys the hashes of addresses never to be mailed."""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from nurture.errors import SettingsError
from perennial.platform.settings import Settings, variable
from perennial.platform.tokens import Tokens

FILE = "secret"


def secret_of(settings: Settings) -> str:
    """The secret of the settings; without one, the data folder's own, made at first use and readable by its owner only.

    Raises SettingsError if there is none and the folder cannot keep one. Several machines need it in the settings.
    """
    if settings.secret is not None:
        return settings.secret
    path = settings.data_dir / FILE
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            _write(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"no secret can be kept in {settings.data_dir}: {error.strerror}; set {variable('secret')}"
        ) from error


def tokens_of(settings: Settings) -> Tokens:
    """What signs the links in our mails."""
    return Tokens(secret_of(settings))


def _write(path: Path) -> None:
    # Whole or not at all: another process may read it at the same moment.
    if path.exists():
        return
    draft = path.with_name(f"{FILE}.{os.getpid()}")
    handle = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(token_hex(32))
    try:
        os.link(draft, path)
    finally:
        draft.unlink()

"""The installation's secrets: they sign the links in our mails and key the hashes of addresses never to be mailed.

A secret is rotated by setting a new one and listing the old one among the earlier: the newest signs, all verify.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from nurture.errors import SettingsError
from perennial.platform.private_files import private_folder
from perennial.platform.settings import Settings, variable
from perennial.platform.tokens import Tokens

FILE = "secret"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secret that signs, and earlier ones, which still verify."""

    newest: str
    earlier: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, the newest first."""
        return (self.newest, *self.earlier)


def secrets_of(settings: Settings) -> Secrets:
    """The secrets of the settings; without one, the data folder's own, made at first use, for its owner only.

    Once the settings name a secret, the folder's is an earlier one. Raises SettingsError if there is none and the
    folder cannot keep one. Several machines need it in the settings.
    """
    path = settings.data_dir / FILE
    if settings.secret is None:
        return Secrets(_kept(path), settings.earlier_secrets)
    before = [*settings.earlier_secrets]
    with suppress(OSError):
        before.append(path.read_text(encoding="ascii").strip())
    return Secrets(settings.secret, tuple(each for each in dict.fromkeys(before) if each and each != settings.secret))


def tokens_of(settings: Settings) -> Tokens:
    """What signs the links in our mails."""
    secrets = secrets_of(settings)
    return Tokens(secrets.newest, secrets.earlier)


def _kept(path: Path) -> str:
    try:
        private_folder(path.parent)
        with suppress(FileExistsError):
            _write(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"no secret can be kept in {path.parent}: {error.strerror}; set {variable('secret')}"
        ) from error


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

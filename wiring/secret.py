"""The installation's secret: it signs the links in our mails and keys the hashes of addresses never to be mailed."""

import os
import secrets
from pathlib import Path

from nurture.errors import SettingsError
from wiring.settings import Settings, variable

FILE = "secret"


def installation_secret(settings: Settings) -> str:
    """The secret of the settings; on one machine with SQLite, without one there, that of the data folder.

    The data folder's is made at first use and must be kept as the database is: without it no link in a mail that went
    out opens any more, and an erased lead would come back with the next import. Raises SettingsError where several
    machines could each make one of their own, and if the file cannot be read or made.
    """
    if settings.secret is not None:
        return settings.secret
    if not settings.database_url.startswith("sqlite"):
        remedy = Settings.model_fields["secret"].description
        raise SettingsError(f"{variable('secret')} is not set; set it to {remedy}")
    path = settings.data_dir / FILE
    try:
        return _read(path) or _make(path)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; or set {variable('secret')}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _make(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f"{FILE}.{os.getpid()}")
    handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(written, path)  # fails if another process was quicker: then its secret is the one
    except FileExistsError:
        pass
    finally:
        written.unlink()
    return _read(path)

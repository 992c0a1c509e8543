"""Signed tokens for the links in our mails: opaque to the reader, impossible to make up, and good for years.

They name a touch, never a person. A token for one purpose does not open another.
"""

from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadData, URLSafeSerializer

from nurture.errors import InputError

Purpose = Literal["click", "open", "preferences", "confirm", "signup"]


@dataclass(frozen=True)
class Tokens:
    """Makes and reads tokens with the installation's secret. Earlier secrets still open what they signed."""

    secret: str
    earlier: tuple[str, ...] = ()

    def sign(self, purpose: Purpose, *parts: str) -> str:
        """A token for these parts, safe in a URL."""
        return str(self._serializer(purpose).dumps(list(parts)))

    def read(self, purpose: Purpose, token: str) -> tuple[str, ...]:
        """The parts of a token; raises InputError for one that we did not sign for this purpose."""
        try:
            parts = self._serializer(purpose).loads(token)
        except BadData:
            raise InputError("this link is not one of ours, or was cut off; copy it whole from the mail") from None
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise InputError("this link is not one of ours")
        return tuple(parts)

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        return URLSafeSerializer([*self.earlier, self.secret], salt=f"perennial.{purpose}")

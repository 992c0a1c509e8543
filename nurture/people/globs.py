"""Globs: a subject matches without case, in any script, however its letters are composed."""

import re
from fnmatch import translate
from functools import lru_cache
from unicodedata import normalize


def glob_matches(glob: str, text: str) -> bool:
    """Whether a text matches a glob (`*`, `?`, `[...]`): `straße*` matches `STRASSE 1`."""
    return _compiled(glob).match(_folded(text)) is not None


@lru_cache(maxsize=16_384)
def _folded(text: str) -> str:
    # Folding may take a composed letter apart, so it is composed once more.
    return normalize("NFC", normalize("NFC", text).casefold())


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(translate(_folded(glob)))

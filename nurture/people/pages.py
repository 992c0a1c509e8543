"""Pages: however a website spells its address, the same page is the same subject."""

import re
from contextlib import suppress
from unicodedata import normalize
from urllib.parse import unquote, urlsplit

_HOST = re.compile(r"(?:www\.[^/\s]+|[^/\s.]+(?:\.[^/\s.]+)+(?=/))", re.IGNORECASE)
"""What begins an address that is written without its scheme: `www.a.example`, `a.example/pricing`."""


def page_glob(glob: str) -> str:
    """A glob for pages, spelled as `page_of` spells them; its `?` is any one letter, and no query."""
    path = _readable(glob.strip())
    if path.startswith(("http://", "https://")):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path.rstrip("/") or "/"


def page_of(address: str) -> str:
    """The page that a path or a URL names: `https://a.example/Pricing/?ref=x#plans` is `/pricing`.

    Without host, query and fragment, in lower case, without a slash at the end; letters that a URL writes as `%C3%BC`
    are letters. What cannot be read stays as it is.
    """
    text = address.strip()
    if _HOST.match(text):
        text = f"//{text}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    path = parts.path if parts.scheme in {"http", "https"} or text.startswith("//") else text
    path = _readable(path.partition("?")[0].partition("#")[0])
    return "/" + path.strip("/") if path.startswith("/") or not path else path.rstrip("/")


def _readable(path: str) -> str:
    with suppress(UnicodeDecodeError):  # in no encoding that we know, it stays as it is
        path = unquote(path, errors="strict")
    return normalize("NFC", path).lower()

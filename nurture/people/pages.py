"""Pages: however a website spells its address, the same page is the same subject."""

from urllib.parse import urlsplit


def page_glob(glob: str) -> str:
    """A glob for pages, spelled as `page_of` spells them; its `?` is any one letter, and no query."""
    path = glob.strip().lower()
    if path.startswith(("http://", "https://")):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path.rstrip("/") or "/"


def page_of(address: str) -> str:
    """The page that a path or a full URL names: `https://a.example/Pricing/?ref=x#plans` is `/pricing`.

    Without host, query and fragment, in lower case, without a slash at the end. What cannot be read stays as it is.
    """
    text = address.strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    path = parts.path if parts.scheme in {"http", "https"} or text.startswith("//") else text
    path = path.partition("?")[0].partition("#")[0].lower()
    return "/" + path.strip("/") if path.startswith("/") or not path else path.rstrip("/")

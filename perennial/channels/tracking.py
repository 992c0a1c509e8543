"""Track links and opens ourselves, for providers that do not: each link goes through our signed redirect."""

import re
from html import unescape

from perennial.platform.tokens import Tokens

_HREF = re.compile(r'(<a\b[^>]*?\bhref=")(https?://[^"]+)(")', re.IGNORECASE)


def track_links(html: str, *, touch_id: str, tokens: Tokens, public_url: str) -> str:
    """The HTML with its links, except those to our own pages, through `/c/{token}`, and an open pixel at its end.

    The plain text keeps its links: people read those addresses.
    """
    ours = public_url.rstrip("/")

    def redirected(found: re.Match[str]) -> str:
        url = unescape(found[2])
        if url.startswith(f"{ours}/"):
            return found[0]
        return f"{found[1]}{ours}/c/{tokens.sign('click', touch_id, url)}{found[3]}"

    pixel = (
        f'<img src="{ours}/o/{tokens.sign("open", touch_id)}.gif" width="1" height="1" alt="" '
        'style="display:block;border:0">'
    )
    tracked = _HREF.sub(redirected, html)
    head, end, tail = tracked.rpartition("</body>")
    return f"{head}{pixel}{end}{tail}" if end else tracked + pixel

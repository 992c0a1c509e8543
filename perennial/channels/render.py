"""Render a content piece for a reader: subject, preheader, plain text and HTML.

The templates are made once for each piece (`perennial.channels.templates`). Here a profile's values are made inert
and put into them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateError
from markupsafe import Markup

from nurture.content.catalogue import Piece
from nurture.errors import ContentError, SettingsError
from perennial.channels.inert import inert
from perennial.channels.templates import compiled, layouts
from perennial.platform.paths import CONTENT


@dataclass(frozen=True, slots=True)
class Reader:
    """What a piece may say about its reader; None is unknown, `topic` and `industry` are slugs."""

    first_name: str | None = None
    company: str | None = None
    topic: str | None = None
    industry: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail, ready for a provider; `subject` is a single line."""

    subject: str
    preheader: str
    text: str
    html: str


def render(
    piece: Piece,
    reader: Reader,
    *,
    postal_address: str,
    unsubscribe_url: str,
    variant: int = 0,
    hidden_url: str = "",
    folder: Path = CONTENT,
) -> Rendered:
    """The mail for one reader; `variant` chooses the subject line (0: the piece's own); `hidden_url` is for machines.

    `folder` holds `layout.html.j2` and `layout.txt.j2`, read once. Raises ContentError when the piece does
    not render, SettingsError without a postal address (CAN-SPAM, 15 U.S.C. 7704(a)(5)) or an unsubscribe URL.
    """
    if not postal_address.strip():
        raise SettingsError("no postal address; set the sender's, the law wants it in each mail")
    if not unsubscribe_url.startswith(("https://", "http://")):
        raise SettingsError(f"no unsubscribe link in {unsubscribe_url!r}; set one with https://")
    templates = compiled(piece)
    if not 0 <= variant < len(templates.subjects):
        last = len(templates.subjects) - 1
        raise ContentError(f"{piece.id}: variants: no subject {variant}; use 0 to {last}, or add a variant")
    html_layout, text_layout = layouts(folder)
    values = _values(reader)
    try:
        subject = " ".join(templates.subjects[variant].render(values).split())
        preheader = " ".join(templates.preheader.render(values).split())
        text = re.sub(r"\n{3,}", "\n\n", templates.text.render(values)).strip()
        body = Markup(templates.html.render(values))  # noqa: S704 - sanitised when compiled, values escaped
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise ContentError(f"{piece.id}: does not render: {error}; mend the template in its file") from error
    frame = {
        "subject": subject,
        "preheader": preheader,
        "postal_address": " · ".join(filter(None, map(str.strip, postal_address.splitlines()))),
        "unsubscribe_url": unsubscribe_url,
        "hidden_url": hidden_url,
    }
    return Rendered(
        subject=subject,
        preheader=preheader,
        text=text_layout.render(frame, body=text),
        html=html_layout.render(frame, body=body),
    )


def _values(reader: Reader) -> dict[str, str]:
    return {
        "first_name": inert(reader.first_name) or "there",
        "company": inert(reader.company) or "your team",
        "topic": inert(reader.topic).replace("-", " ") or "analytics",
        "industry": inert(reader.industry).replace("-", " ") or "your industry",
    }

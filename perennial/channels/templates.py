"""Compile a content piece once into templates, and load the layouts around it.

A piece's Jinja tags are set aside, its Markdown becomes sanitised HTML and plain text, and the tags return.
A profile's values meet only the finished templates, so they are never read as Markdown, Jinja or HTML.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nh3
from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    meta,
    nodes,
)
from jinja2.sandbox import SandboxedEnvironment
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from nurture.content.catalogue import Piece
from nurture.errors import ContentError

VARIABLES = ("first_name", "company", "topic", "industry")
"""What a piece may say about its reader."""

_HELD = re.compile("\ue000(\\d+)\ue001")

# None of these filters can mark a profile's value as safe HTML.
_FILTERS = ("capitalize", "default", "length", "lower", "replace", "title", "trim", "truncate", "upper")
_SCHEMES = {"http", "https", "mailto"}
_STYLES = {
    "p": "margin:0 0 16px",
    "ul": "margin:0 0 16px;padding:0 0 0 22px",
    "ol": "margin:0 0 16px;padding:0 0 0 22px",
    "li": "margin:0 0 8px",
    "h1": "margin:0 0 16px;font-size:22px;line-height:1.3",
    "h2": "margin:24px 0 12px;font-size:19px;line-height:1.3",
    "h3": "margin:20px 0 8px;font-size:17px;line-height:1.3",
    "blockquote": "margin:0 0 16px;padding:2px 0 2px 16px;border-left:3px solid #0b5cad",
    "hr": "margin:24px 0;border:0;border-top:1px solid #d5dae1",
    "a": "color:#0b5cad;text-decoration:underline",
}
_TAGS = {*_STYLES, "br", "strong", "em", "code", "pre"}
_BUTTON = (
    "display:inline-block;padding:12px 20px;border-radius:6px;background:#0b5cad;color:#ffffff;"
    "font-weight:600;text-decoration:none"
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """One piece's templates, and the addresses its body links to; `subjects` is by variant number."""

    subjects: tuple[Template, ...]
    preheader: Template
    text: Template
    html: Template
    links: tuple[str, ...]


def _environment(folder: Path | None = None, *, html: bool) -> SandboxedEnvironment:
    env = SandboxedEnvironment(
        autoescape=html,
        undefined=StrictUndefined,
        loader=FileSystemLoader(folder) if folder else None,
        trim_blocks=folder is not None,
    )
    env.globals.clear()
    env.filters = {name: env.filters[name] for name in _FILTERS}
    return env


@lru_cache(maxsize=16)
def layouts(folder: Path) -> tuple[Template, Template]:
    try:
        return (
            _environment(folder, html=True).get_template("layout.html.j2"),
            _environment(folder, html=False).get_template("layout.txt.j2"),
        )
    except TemplateNotFound as error:
        raise ContentError(f"{error.name}: not in {folder}; copy it from the content/ that ships") from None
    except TemplateError as error:
        raise ContentError(f"layout: {error}; mend it in {folder}") from None


@lru_cache(maxsize=4096)
def compiled(piece: Piece) -> Compiled:
    """The piece's templates, made once for each id and hash."""
    plain, escaping = _environment(html=False), _environment(html=True)
    subjects = tuple(_template(plain, piece, "subject", source) for source in piece.subjects)
    preheader = _template(plain, piece, "preheader", piece.preheader)
    _template(plain, piece, "body", piece.body)
    markdown, held = _hold(plain, piece.body)
    parser = MarkdownIt("commonmark", {"html": False})
    tree = SyntaxTreeNode(parser.parse(markdown))
    links = tuple(str(node.attrs["href"]) for node in tree.walk() if node.type == "link")
    if any("%EE%80%80" in link for link in links):
        raise ContentError(f"{piece.id}: body: a link holds a variable; write its address out in full")
    unwrapped = re.sub(  # a paragraph of one `{% tag %}` is no paragraph
        f"<p>({_HELD.pattern})</p>",
        lambda found: found[1] if held[int(found[2])].startswith(("{%", "{#")) else found[0],
        parser.render(markdown),
    )
    return Compiled(
        subjects=subjects,
        preheader=preheader,
        text=_template(plain, piece, "body", _restore(_blocks(tree.children), held)),
        html=_template(escaping, piece, "body", _restore(_styled(unwrapped), held)),
        links=links,
    )


def _template(env: SandboxedEnvironment, piece: Piece, part: str, source: str) -> Template:
    try:
        tree = env.parse(source)
        unknown = sorted(meta.find_undeclared_variables(tree) - set(VARIABLES))
        template = env.from_string(source)
    except TemplateSyntaxError as error:
        what = (error.message or "bad syntax").rstrip(".")
        raise ContentError(f"{piece.id}: {part}: {what} (line {error.lineno} of it); mend that tag") from None
    if unknown:
        known = ", ".join(VARIABLES)
        raise ContentError(f"{piece.id}: {part}: no variable {', '.join(unknown)}; a piece may use {known}")
    if tree.find(nodes.EvalContextModifier):
        raise ContentError(f"{piece.id}: {part}: autoescape may not be changed; remove that tag")
    return template


def _hold(env: SandboxedEnvironment, source: str) -> tuple[str, list[str]]:
    """Set the Jinja tags aside, so that Markdown neither escapes nor parses them."""
    kept: list[str] = []
    held: list[str] = []
    tag = ""
    for _, kind, value in env.lex(source):
        if kind == "data" and not tag:
            kept.append(value)
            continue
        tag += value
        if kind.endswith("_end"):
            kept.append(f"\ue000{len(held)}\ue001")
            held.append(tag)
            tag = ""
    return "".join(kept), held


def _restore(done: str, held: list[str]) -> str:
    return _HELD.sub(lambda match: held[int(match[1])], done)


def _styled(html: str) -> str:
    """Sanitise, and give each tag its inline style; a paragraph that is one link becomes a button."""
    html = nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes=_SCHEMES, link_rel=None)
    html = re.sub(r"<p>(<a) (href=[^>]*>[^<]*</a></p>)", rf'<p>\1 class="button" style="{_BUTTON}" \2', html)
    return re.sub(
        r"<(\w+)(?=[ >])(?! class)",
        lambda tag: f'{tag[0]} style="{_STYLES[tag[1]]}"' if tag[1] in _STYLES else tag[0],
        html,
    )


def _blocks(children: Iterable[SyntaxTreeNode], apart: str = "\n\n") -> str:
    return apart.join(_block(node) for node in children)


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "bullet_list" | "ordered_list":
            start, bullets = int(node.attrs.get("start", 1)), node.type == "bullet_list"
            marks = ("- " if bullets else f"{start + n}. " for n in range(len(node.children)))
            return "\n".join(
                mark + _blocks(item.children, "\n").replace("\n", "\n" + " " * len(mark))
                for mark, item in zip(marks, node.children, strict=True)
            )
        case "blockquote":
            return "> " + _blocks(node.children).replace("\n", "\n> ")
        case "hr":
            return "* * *"
        case "fence" | "code_block":
            return node.content.rstrip()
        case _:
            return "".join(map(_inline, node.children))


def _inline(node: SyntaxTreeNode) -> str:
    match node.type:
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "link":
            words, url = "".join(map(_inline, node.children)), str(node.attrs["href"])
            return url if words == url else f"{words}: {url}"
        case _ if node.children:
            return "".join(map(_inline, node.children))
        case _:
            return node.content

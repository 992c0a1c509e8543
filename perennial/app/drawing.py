"""A track's map as SVG: laid out by Graphviz, in colours that suit light and dark, with its description inside."""

import re
import subprocess
import sysconfig
from html import escape
from pathlib import Path

from nurture.bench.paths.drawing import Map, dot
from nurture.errors import SettingsError

STYLE = """
  text { font-family: system-ui, sans-serif; fill: #1f2328; stroke: none }
  .edge text { fill: #57606a }
  .node path, .node polygon { fill: #f6f8fa; stroke: #57606a }
  .node.send path { fill: #ddf4ff; stroke: #0969da }
  .node.wait path { fill: #fff8c5; stroke: #9a6700 }
  .node.hand_off path { fill: #dafbe1; stroke: #1a7f37 }
  .node.end path { fill: #eaeef2; stroke: #57606a }
  .node.exits path { fill: none; stroke: #cf222e }
  .edge path { stroke: #57606a; fill: none }
  .edge polygon { fill: #57606a; stroke: #57606a }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .edge text { fill: #9198a1 }
    .node path, .node polygon { fill: #212830; stroke: #9198a1 }
    .node.send path { fill: #0c2d6b; stroke: #58a6ff }
    .node.wait path { fill: #4b2900; stroke: #d29922 }
    .node.hand_off path { fill: #033a16; stroke: #3fb950 }
    .node.end path { fill: #2f3742; stroke: #9198a1 }
    .edge path { stroke: #9198a1 }
    .edge polygon { fill: #9198a1; stroke: #9198a1 }
  }
"""

_HEAD = re.compile(r"<svg [^>]*?viewBox=\"(?P<box>[^\"]+)\"[^>]*>", re.DOTALL)
_COLOURS = re.compile(r' (?:fill|stroke|font-family)="[^"]*"')
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_TITLE = re.compile(r"<title>[^<]*</title>\n?")


def svg_of(drawn: Map) -> str:
    """The map as one SVG element, with a title and its description for those who do not see it.

    Raises SettingsError if Graphviz's program is not installed.
    """
    program = Path(sysconfig.get_path("scripts")) / "graphviz-pure"
    try:
        made = subprocess.run(  # noqa: S603 - our own dependency's program
            [str(program), "-Tsvg"], input=dot(drawn).encode(), capture_output=True, check=True, timeout=60
        )
    except FileNotFoundError:
        raise SettingsError(
            f"{program} is missing; install graphviz-pure, or draw with --out {drawn.name}.mmd"
        ) from None
    text = made.stdout.decode()
    head = _HEAD.search(text)
    if head is None:
        raise ValueError("Graphviz made no SVG")
    inner = _TITLE.sub("", _COLOURS.sub("", _COMMENT.sub("", text[head.end() :])))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{head["box"]}" '
        f'role="img" aria-labelledby="title desc">\n<title id="title">The track {escape(drawn.name)}</title>\n'
        f'<desc id="desc">{escape(drawn.description)}</desc>\n<style>{STYLE}</style>{inner}'
    )

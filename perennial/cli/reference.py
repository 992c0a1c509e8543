"""The reference of every command, as Markdown: `python -m perennial.cli.reference > docs/commands.md`."""

import sys
from collections.abc import Iterator
from typing import Any

from typer.core import TyperArgument
from typer.main import get_command

from perennial.cli.app import EXIT_CODES, app
from perennial.platform.program import IN_A_CHECKOUT

HEAD = f"""# Commands

Made by `python -m perennial.cli.reference > docs/commands.md`; a test compares the two.

Installed, the program is called `perennial`; type it in place of `python starter.py`.

`--data-dir` (else `PERENNIAL_DATA_DIR`) and `--debug` may stand anywhere. With `--json` a command answers with one JSON
document on standard output and nothing else; progress and complaints go to standard error.

{EXIT_CODES}.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, in the order of `--help`; those of a group after one another."""
    root: Any = get_command(app)
    with root.make_context(IN_A_CHECKOUT, ["check"]) as context:
        for name in root.list_commands(context):
            command = root.get_command(context, name)
            inner = getattr(command, "commands", None)
            if inner is None:
                yield name, command
            else:
                yield from ((f"{name} {each}", inner[each]) for each in inner)


def reference() -> str:
    """The whole reference."""
    return HEAD + "".join(_section(name, command) for name, command in commands())


def _section(name: str, command: Any) -> str:
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    options = [each for each in command.params if each not in arguments and each.name != "help" and not each.hidden]
    words = (IN_A_CHECKOUT, name, *map(_shown, arguments), *(("[OPTIONS]",) if options else ()))
    lines = [f"\n## {name}\n", f"    {' '.join(words)}\n", _unwrapped(command.help or "") + "\n"]
    lines += [f"- `{_shown(each).strip('[]')}`: {each.help}" for each in arguments]
    lines += [f"- `{', '.join(each.opts)}`: {each.help}{_default(each)}" for each in options]
    if arguments or options:
        lines.append("")
    if command.epilog:
        lines.append(f"{command.epilog}\n")
    return "\n".join(lines)


def _shown(argument: Any) -> str:
    name = str(argument.name).rstrip("_").upper()
    return name if argument.required else f"[{name}]"


def _default(option: Any) -> str:
    if option.required:
        return " Required."
    default = option.default
    return "" if default in (None, False, "", ()) or callable(default) else f" Default: {default}."


def _unwrapped(text: str) -> str:
    paragraphs = text.replace("\b", "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


if __name__ == "__main__":
    sys.stdout.write(reference())

"""starter.py web and starter.py keys: the web service, and who may call it."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Annotated

import typer
import uvicorn
from rich.table import Table

from nurture.errors import SettingsError
from perennial.access.keys import SCOPES, create_key, list_keys, revoke_key
from perennial.app.pages import page_routers
from perennial.app.providers import held_provider
from perennial.app.web import create_app
from perennial.cli.shared import books, err, out, print_json, run
from perennial.dev.embedded import running_engine
from perennial.platform.clock import read_clock
from perennial.platform.database import Database
from perennial.platform.logs import configure_logs
from perennial.platform.migrations import require_current
from perennial.platform.settings import Settings, load_settings
from perennial.web.edge import Edge
from perennial.web.health import TemporalProbe
from perennial.web.limits import Limits

GRACE_SECONDS = 20
_BACKLOG = 2048

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

keys = typer.Typer(no_args_is_help=True, help="API keys of the web service: made, listed, revoked.")


def web(
    host: Annotated[str | None, typer.Option(help="The address to listen on. Default: PERENNIAL_WEB_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 is any. Default: PERENNIAL_WEB_PORT.")] = None,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="Stop when standard input closes.")] = False,
) -> None:
    """Run the web service: webhooks, Segment's API, health. Ctrl-C stops; requests in flight finish first.

    Temporal may be away: what comes in is kept, and passed on once it is back.

    Example: starter.py web --port 8000
    """
    settings = load_settings()
    configure_logs(settings.log_format, level=settings.log_level)
    with listening(settings.web_host if host is None else host, settings.web_port if port is None else port) as sock:
        asyncio.run(serve(settings, sock, child=child))


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there. Raises SettingsError if the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"the web service cannot listen on {host} port {port}: {error.strerror}; "
            "stop what holds it, or choose another with --port or PERENNIAL_WEB_PORT"
        ) from None
    with sock:
        yield sock


async def serve(settings: Settings, sock: socket.socket, *, child: bool = False) -> None:
    """Serve on the socket until SIGINT, SIGTERM, or for a child the end of standard input."""
    await require_current(settings.database_url)
    database = Database(settings.database_url)
    sending = ExitStack()
    try:
        provider = sending.enter_context(held_provider(settings, database))
        engine = running_engine(settings.data_dir)
        edge = Edge(
            settings=settings,
            database=database,
            clock=await read_clock(database),
            temporal=TemporalProbe(engine.address if engine else None),
            limits=Limits(settings.rate_limit),
        )
        server = Server(
            uvicorn.Config(
                create_app(edge, *page_routers(settings, database, provider, edge.now)),
                log_config=None,  # ours redacts addresses
                log_level="warning",  # that it listens, and has stopped, is said by us
                access_log=False,  # paths carry tokens
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        if child:
            loop.add_reader(sys.stdin, server.stop)
        _say(f"listening on {address_of(sock)}")
        await server.serve(sockets=[sock])
        if child:
            loop.remove_reader(sys.stdin)
        _say("stopped")
    finally:
        sending.close()
        await database.close()


class Server(uvicorn.Server):
    """uvicorn's, but for signals: they are the caller's, which closes the database afterwards."""

    def stop(self) -> None:
        """Take no new requests, finish those in flight, then return from `serve`."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def address_of(sock: socket.socket) -> str:
    """The URL that a listening socket is reached by."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who uses the key, such as website.")],
    scope: Annotated[list[str], typer.Option(help=f"What it may do: {', '.join(SCOPES)}. May be repeated.")],
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once: only its hash is kept.

    Example: starter.py keys create website --scope ingest
    """

    async def work() -> None:
        async with books(to_write=True) as held, held.database.writing() as session:
            key = await create_key(session, name, scope, held.now())
        if as_json:
            print_json(key)
            return
        out().print(key.text)
        err().print(f"Key {key.id} ({key.name}: {', '.join(key.scopes)}). It is shown this once; keep it safe.")

    run(work())


@keys.command("list")
def list_(as_json: AsJson = False) -> None:
    """List every key, revoked ones too; never the keys themselves.

    Example: starter.py keys list
    """

    async def work() -> None:
        async with books() as held, held.database.reading() as session:
            found = await list_keys(session)
        names = ("id", "name", "scopes", "created_at", "last_used_at", "revoked_at")
        if as_json:
            print_json([{name: getattr(key, name) for name in names} for key in found])
            return
        if not found:
            out().print("No keys yet: starter.py keys create NAME --scope ingest")
            return
        table = Table("id", "name", "scopes", "made", "last used", "revoked", box=None, pad_edge=False)
        for key in found:
            days = map(_day, (key.created_at, key.last_used_at, key.revoked_at))
            table.add_row(key.id, key.name, " ".join(key.scopes), *days)
        out().print(table)

    run(work())


@keys.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="The key's id or name.")], as_json: AsJson = False) -> None:
    """Revoke a key; web processes refuse it within five seconds.

    Example: starter.py keys revoke website
    """

    async def work() -> None:
        async with books(to_write=True) as held, held.database.writing() as session:
            key = await revoke_key(session, name, held.now())
        if as_json:
            print_json({"id": key.id, "name": key.name, "revoked_at": key.revoked_at})
        else:
            out().print(f"revoked {key.id} ({key.name}); web processes refuse it within five seconds")

    run(work())


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d}"


def _say(line: str) -> None:
    sys.stdout.write(f"web: {line}\n")
    sys.stdout.flush()

"""The web service as a program: serves until SIGINT or SIGTERM. Requests in flight finish first."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from nurture.errors import SettingsError
from perennial.app.pages import page_routers, signups_of
from perennial.app.providers import open_provider
from perennial.app.web import create_app
from perennial.platform.installation import open_installation
from perennial.platform.migrations import require_current
from perennial.platform.processes import announcer, on_stop
from perennial.platform.settings import Settings
from perennial.web.edge import Edge
from perennial.web.health import TemporalProbe
from perennial.web.limits import Limits
from perennial.web.slow_requests import TimedProtocol

GRACE_SECONDS = 20
_BACKLOG = 2048


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


async def serve(settings: Settings, sock: socket.socket, address: str | None, *, child: bool = False) -> None:
    """Serve on the socket until told to stop; health asks the Temporal server at `address`."""
    announce = announcer("web")
    await require_current(settings.database_url)
    async with open_installation(settings) as base:
        with open_provider(settings, base.database) as provider:
            edge = Edge(
                settings=settings,
                database=base.database,
                clock=base.clock,
                temporal=TemporalProbe(address),
                limits=Limits(settings.rate_limit),
            )
            server = Server(
                uvicorn.Config(
                    create_app(
                        edge,
                        *page_routers(settings, base.database, provider, edge.now),
                        signups=signups_of(settings, base.database, provider, edge.now),
                    ),
                    log_config=None,  # ours redacts addresses
                    log_level="warning",  # announced below: where it listens, and that it has stopped
                    access_log=False,  # paths carry tokens
                    server_header=False,
                    lifespan="off",
                    http=TimedProtocol,
                    timeout_graceful_shutdown=GRACE_SECONDS,
                )
            )
            with on_stop(server.stop, child=child):
                announce(f"listening on {address_of(sock)}")
                await server.serve(sockets=[sock])
                announce("stopped")


class Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the program's own close the database afterwards."""

    def stop(self) -> None:
        """Take no new requests, finish those in flight, then return from `serve`."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def address_of(sock: socket.socket) -> str:
    """The URL that a listening socket is reached by."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

"""What every room's tests share: databases, a Temporal server, a web service, and how hypothesis searches."""

from tests import search

__all__ = ["search"]

pytest_plugins = ("tests.databases", "tests.engine.server", "tests.web.services")

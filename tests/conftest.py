"""What every room's tests share: databases, a Temporal server, a web service, and how hypothesis searches."""

from hypothesis import settings

pytest_plugins = ("tests.databases", "tests.engine.server", "tests.web.services")

settings.register_profile("perennial", deadline=None)  # speed belongs in benchmarks/
settings.load_profile("perennial")

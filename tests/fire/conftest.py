"""An engine and an installation for the stand."""

from tests.engine.conftest import client, data_dir, server_address

__all__ = ["client", "data_dir", "server_address"]

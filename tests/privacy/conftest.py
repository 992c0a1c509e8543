"""Leads to do right by, on both databases; and installations on a real engine where journeys end."""

from tests.engine.conftest import client, data_dir, server_address, still_rig

__all__ = ["client", "data_dir", "server_address", "still_rig"]

"""The one workflow that runs every track, and the tracks."""

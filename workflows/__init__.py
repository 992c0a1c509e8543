"""The workflow that runs the tracks, and the tracks."""

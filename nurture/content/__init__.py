"""Pieces of content, and the catalogue that a track chooses them from."""

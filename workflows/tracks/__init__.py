"""The tracks, one file each. A new file with a `@track` in it is a new track; nothing else changes."""

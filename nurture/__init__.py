"""The language that tracks are written in, and its laws. No Temporal, no SQL, no HTTP, no clock."""

"""The way in from the world: signed webhooks, Segment's API, health; one FastAPI application, made by `web.app`."""

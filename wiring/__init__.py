"""The one place that builds settings, database, clients and worker."""

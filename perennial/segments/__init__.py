"""Segments over the database: one definition as SQL over all leads, and in memory over one."""

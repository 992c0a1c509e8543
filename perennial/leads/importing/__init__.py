"""Leads from a CSV file into the database."""

"""Counted over all leads: the funnel, and the audit of what was sent."""

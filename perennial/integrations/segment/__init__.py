"""Segment's Tracking API: who a visitor is, and what they did."""

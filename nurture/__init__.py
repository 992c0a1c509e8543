"""The pure core: vocabulary, journal, plan, gate, scoring. No Temporal, no SQLAlchemy, no HTTP, no clock."""

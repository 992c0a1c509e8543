"""Tables (SQLAlchemy), and the messages between workflow and activities (pydantic)."""

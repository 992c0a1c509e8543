"""What is stored (SQLAlchemy tables) and what travels between workflow and activities (pydantic messages)."""

"""From what happened in the world to the journeys: outbox, meaning, scoring, relay."""

"""What touches the world: deciding with the database, sending, rescoring, handing over, alerting."""

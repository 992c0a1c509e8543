"""What knows no lead: settings, database, migrations, Temporal's client, clock, logs, secrets."""

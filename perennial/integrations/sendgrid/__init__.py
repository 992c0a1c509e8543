"""SendGrid: mail out, events in."""

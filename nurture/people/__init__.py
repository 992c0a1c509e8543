"""What is known of people: their addresses, behaviours, segments and scores."""

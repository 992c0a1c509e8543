"""Everything on one machine: Temporal's development server and our processes beneath one parent."""

"""One folder a vendor, both directions: what it is sent, and what it tells us."""

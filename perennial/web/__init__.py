"""HTTP: what every route shares, health, and the pages for leads."""

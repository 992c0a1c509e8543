"""Who a lead is and what it allows: identity, profile, consent, suppression, scores."""

"""The CRM: deals, and sales' answers to hand-offs."""

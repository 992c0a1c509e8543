"""Lives without a server: one loop, and rehearsal, try-out, simulation and replay on it."""

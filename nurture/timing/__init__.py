"""When: the clock, the calendar of send windows and holidays, the cadence."""

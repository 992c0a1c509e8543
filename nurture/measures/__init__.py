"""What came of it, as pure arithmetic: credit for conversions, rates and their intervals, times to an event, money."""

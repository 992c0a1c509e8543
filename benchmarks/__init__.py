"""What a journey costs, beside the same journey written by hand on the bare SDK. `python -m benchmarks`."""

"""Our own tracked links and open pixels, for providers that track nothing."""

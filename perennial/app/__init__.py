"""Put everything together: installation, choice of provider, worker, web application."""

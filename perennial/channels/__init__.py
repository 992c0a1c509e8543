"""How a message is made and handed over: envelope, rendering, tracked links, the provider's port."""

"""Events to receivers, over HTTP."""

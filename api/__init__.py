"""What a caller may ask, over HTTP."""

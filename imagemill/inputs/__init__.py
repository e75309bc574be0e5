"""Input images: what a reference may be, how its bytes are fetched, and whether they may be sent."""

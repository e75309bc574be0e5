"""How a worker keeps the pace of the provider accounts that it calls."""

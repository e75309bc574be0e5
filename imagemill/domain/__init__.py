"""Jobs, items, money and errors as plain data and arithmetic: no clock, no network, no vendor."""

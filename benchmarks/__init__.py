"""Measurements, each printed as a ratio or a difference within one run; nothing here passes or fails."""

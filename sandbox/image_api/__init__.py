"""A stand-in for the image provider: it draws, charges, limits and fails like the real API.

It shares no code with the service that it is used to try, so that a wrong belief about the provider
cannot hide on both sides.
"""

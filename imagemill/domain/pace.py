"""What a provider tells of its limits: the facts that a pool's pace is made of."""

from pydantic import BaseModel


class Told(BaseModel):
    """What one answer said of the limits of its account and model; None where it said nothing.

    Read from ``x-ratelimit-{limit,remaining,reset}-{requests,tokens,input-images}``, and from the text of a
    429. Images are ``input-images`` where there are such headers, otherwise ``requests``.
    """

    images_limit: int | None = None
    """Images a minute."""
    images_left: int | None = None
    images_reset: float | None = None
    """Seconds until all of them are there again."""
    tokens_limit: int | None = None
    """Tokens a minute."""
    tokens_left: int | None = None
    tokens_reset: float | None = None
    wait: float | None = None
    """Seconds in which nothing may be sent, from a 429."""
    over: str | None = None
    """Of a 429: which limit it was, ``images`` or ``tokens``; None where it did not say."""

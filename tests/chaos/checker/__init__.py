"""Judges the evidence of one run: did every promise hold?

It knows what clients saw, what the provider's ledger saw, what the webhook receiver saw, and what lies in
the buckets. It imports nothing of the service, and asks it nothing: `evidence` reads the folder, `clients`,
`jobs`, `provider` and `bucket` say what it means, a module for each promise judges, and `verdict` is what
they say.

A call without an answer is a "maybe": it may have been done, at any time after it was begun. Of two moments
one is before the other only where the one had ended when the other began.
"""

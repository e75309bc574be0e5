"""What people write before they look for a service, by one fixed recipe, for comparison.

The recipe: the official client as it comes, ``base64``, boto3 with its defaults, 32 at once; a prompt in, an
object in a bucket out. They are written as their own documentation shows it, neither clumsily nor cleverly,
and each may keep its clients and connections for as long as it runs.

``script``: one asyncio process. ``celery_app``: a Celery worker with 32 threads, and Redis. ``tuned`` is no
peer: it is the script by the adapters of the service itself, with every trick that they know. What the
service takes above it is the price of durability.

Addresses and keys come from the environment, by the names that the clients know anyway (``OPENAI_BASE_URL``,
``AWS_ENDPOINT_URL_S3``), and ``BUCKET``. None of them survives its own death, keeps a cap, retries what is
known not to be billed, or knows afterwards what was bought.
"""

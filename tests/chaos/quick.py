"""Settings by which a run that breaks things is over within seconds."""

QUICK = {
    "IMAGEMILL_TIMES_CALL_DEADLINE": "3",
    "IMAGEMILL_TIMES_HEARTBEAT_TIMEOUT": "2",
    "IMAGEMILL_TIMES_HEARTBEAT_INTERVAL": "0.5",
    "IMAGEMILL_TIMES_SWEEP": "4",
    "IMAGEMILL_TIMES_FIRST_PROBE": "0.3",
    "IMAGEMILL_TIMES_LAST_PROBE": "1",
    "IMAGEMILL_TIMES_RECONCILE": "3",
    "IMAGEMILL_TIMES_ACCOUNT_SAVE": "1",
    "IMAGEMILL_WORK_IMAGES_AT_ONCE": "6",
}
"""Times at which a lost call is given up."""

SEEDED = QUICK | {
    "IMAGEMILL_CONTROL_SILENCE_SECONDS": "5",
    "IMAGEMILL_DELIVERY_SILENCE_SECONDS": "5",
    "IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true",
    "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true",
    "IMAGEMILL_WEBHOOKS_SECONDS": "4",
    "IMAGEMILL_WEBHOOKS_WAITS": "[0, 0.3, 0.5, 1, 1, 2, 2, 4, 4]",
}
"""Beside them a store that is asked again soon, and a receiver on this machine."""

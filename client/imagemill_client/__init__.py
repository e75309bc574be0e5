"""The client of Imagemill, a durable job queue service for image generation in bulk.

    with Imagemill() as client:
        job = client.jobs.submit(items=[{"custom_id": "1", "prompt": "A red chair"}], budget="1.00")
        for item in job.items():
            print(item.custom_id, item.state)
        job.download("images")

``AsyncImagemill`` has the same calls, to be awaited.
"""

from imagemill_client import errors, models, params, webhooks
from imagemill_client._async import AsyncImagemill, AsyncJob
from imagemill_client._core.downloads import Downloaded
from imagemill_client._sync import Imagemill, Job
from imagemill_client.errors import (
    AuthenticationError,
    Conflict,
    ConnectionFailed,
    DownloadFailed,
    Gone,
    ImagemillError,
    InvalidRequest,
    InvalidSignature,
    JobStopped,
    NotConfigured,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServiceError,
    ServiceUnavailable,
    StoreError,
    Timeout,
    UnsafeName,
    Unusable,
    WaitTimeout,
)

__version__ = "0.1.0"
__all__ = [
    "AsyncImagemill",
    "AsyncJob",
    "AuthenticationError",
    "Conflict",
    "ConnectionFailed",
    "DownloadFailed",
    "Downloaded",
    "Gone",
    "Imagemill",
    "ImagemillError",
    "InvalidRequest",
    "InvalidSignature",
    "Job",
    "JobStopped",
    "NotConfigured",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "ServiceError",
    "ServiceUnavailable",
    "StoreError",
    "Timeout",
    "UnsafeName",
    "Unusable",
    "WaitTimeout",
    "errors",
    "models",
    "params",
    "webhooks",
]

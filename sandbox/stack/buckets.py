"""Whether the store works, with the buckets that the service expects to find."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# No proxies: a proxy that the environment names cannot reach the loopback address of this machine.
CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=1,
    read_timeout=2,
    retries={"total_max_attempts": 1},
    proxies={},
)
PROBE = ".stack-ready"


def buckets_work(
    names: Sequence[str], *, endpoint: str, access_key: str, secret_key: str, region: str
) -> bool:
    """Makes the buckets that are missing, and tries the first with an object that comes and goes.

    The store's gateway answers before its volumes can be read and written.

    Returns:
        False if the store does not work yet.
    """
    # A session of its own: the module's default one is not made for threads.
    client = boto3.Session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=CONFIG,
    )
    try:
        _make_missing(client, names)
        _try_out(client, names[0])
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True


def _make_missing(client: "S3Client", names: Sequence[str]) -> None:
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for name in names:
        if name not in there:
            client.create_bucket(Bucket=name)


def _try_out(client: "S3Client", bucket: str) -> None:
    client.put_object(Bucket=bucket, Key=PROBE, Body=b"ready?")
    client.get_object(Bucket=bucket, Key=PROBE)["Body"].read()
    client.delete_object(Bucket=bucket, Key=PROBE)

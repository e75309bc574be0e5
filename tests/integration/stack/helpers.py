"""What several of these tests do."""

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from sandbox.stack import LocalStack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def s3(stack: LocalStack) -> "S3Client":
    """A client made of the settings that the service gets."""
    settings = stack.environment
    return boto3.client(
        "s3",
        endpoint_url=settings["IMAGEMILL_CONTROL_ENDPOINT"],
        aws_access_key_id=settings["IMAGEMILL_CONTROL_ACCESS_KEY"],
        aws_secret_access_key=settings["IMAGEMILL_CONTROL_SECRET_KEY"],
        region_name=settings["IMAGEMILL_CONTROL_REGION"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Runs Python code in a process of its own."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    tasks = (Path("/proc") / str(pid) / "task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


class Watch:
    """Waits for the ends of processes that are not ours to wait for."""

    def __init__(self, pids: list[int]) -> None:
        self._descriptors = [os.pidfd_open(pid) for pid in pids]

    def all_ended(self, timeout: float) -> bool:
        """Whether all ended within that many seconds each."""
        try:
            return all(self._ended(descriptor, timeout) for descriptor in self._descriptors)
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)

    @staticmethod
    def _ended(descriptor: int, timeout: float) -> bool:
        # A process descriptor is readable once its process has ended.
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

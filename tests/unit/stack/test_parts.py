import itertools
from pathlib import Path

import pytest

from sandbox.stack import ports
from sandbox.stack.credentials import Credentials
from sandbox.stack.ports import PortBook
from sandbox.stack.services import Api, ImageApi, Worker
from sandbox.stack.store import GRPC_OFFSET, Store
from sandbox.stack.temporal import Temporal

CREDENTIALS = Credentials("ACCESS", "SECRET", "sk-sandbox", "im_a_b", "im_c_d")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PortBook:
    monkeypatch.setattr(ports, "is_free", lambda _port: True)
    return PortBook(tmp_path / "ports.json", {"temporal": 7233, "store": 8333, "ui": 8233})


def pairs(command: tuple[str, ...]) -> set[tuple[str, str]]:
    return set(itertools.pairwise(command))


def flags(command: tuple[str, ...]) -> dict[str, str]:
    return dict(word[1:].split("=", 1) for word in command if word.startswith("-") and "=" in word)


def store(book: PortBook, tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store("weed", tmp_path / "store", tmp_path / "store.json", CREDENTIALS, book)


def test_temporal_is_told_all_its_ports_and_the_loopback_address(book: PortBook, tmp_path: Path) -> None:
    temporal = Temporal("temporal", tmp_path / "temporal.db", book, ui=True)
    told = pairs(temporal.command())
    assert {("--ip", "127.0.0.1"), ("--port", "7233"), ("--ui-port", "8233")} <= told
    assert {"--http-port", "--metrics-port"} <= {flag for flag, _ in told}
    assert "--headless" not in temporal.command()


def test_temporal_without_its_interface_has_no_port_for_it(book: PortBook, tmp_path: Path) -> None:
    temporal = Temporal("temporal", tmp_path / "temporal.db", book, ui=False)
    assert "--headless" in temporal.command()
    assert "--ui-port" not in temporal.command()
    assert temporal.ui_url is None


def test_temporal_gets_fairness_rates_and_pragmas(book: PortBook, tmp_path: Path) -> None:
    told = pairs(Temporal("temporal", tmp_path / "temporal.db", book, ui=False).command())
    assert {
        ("--dynamic-config-value", "matching.enableFairness=true"),
        ("--dynamic-config-value", "history.transferProcessorMaxPollRPS=1000"),
        ("--dynamic-config-value", "history.timerProcessorMaxPollRPS=1000"),
        ("--dynamic-config-value", "history.visibilityProcessorMaxPollRPS=1000"),
        ("--sqlite-pragma", "journal_mode=wal"),
        ("--sqlite-pragma", "synchronous=normal"),
    } <= told


def test_temporal_asks_for_no_newer_version_and_reads_no_settings_of_the_caller(
    book: PortBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "elsewhere:7233")
    environment = Temporal("temporal", tmp_path / "temporal.db", book, ui=False).environment()
    assert environment["TEMPORAL_VERSION_CHECK_DISABLED"] == "1"
    assert "TEMPORAL_ADDRESS" not in environment


def test_the_store_listens_on_the_loopback_address_with_all_extras_off(
    book: PortBook, tmp_path: Path
) -> None:
    part = store(book, tmp_path)
    told = flags(part.command())
    assert told["ip"] == told["ip.bind"] == "127.0.0.1"
    off = ("webdav", "admin.ui", "s3.iam", "s3.autoCreateBucket", "master.telemetry")
    assert all(told[name] == "false" for name in off)
    none = ("filer.port.public", "s3.port.iceberg", "s3.port.lance", "s3.port.https", "metricsPort")
    assert all(told[name] == "0" for name in none)
    assert "-disableHttp" in part.command()


def test_the_stores_admin_ports_are_as_far_apart_as_its_client_believes(
    book: PortBook, tmp_path: Path
) -> None:
    told = flags(store(book, tmp_path).command())
    assert int(told["admin.port.grpc"]) - int(told["admin.port"]) == GRPC_OFFSET


def test_all_the_stores_ports_are_known_to_the_stack(book: PortBook, tmp_path: Path) -> None:
    part = store(book, tmp_path)
    told = {int(value) for name, value in flags(part.command()).items() if "port" in name.lower()}
    assert told - {0} == set(part.ports.values())


def test_the_store_takes_no_keys_of_the_caller(
    book: PortBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("S3_BUCKET", "surprise")
    environment = store(book, tmp_path).environment()
    assert not {"AWS_ACCESS_KEY_ID", "S3_BUCKET"} & set(environment)


def test_the_store_gets_its_identity_in_a_private_file(book: PortBook, tmp_path: Path) -> None:
    store(book, tmp_path).before_start()
    config = tmp_path / "store.json"
    assert "SECRET" in config.read_text()
    assert config.stat().st_mode & 0o777 == 0o600


def test_the_stores_secret_is_no_argument(book: PortBook, tmp_path: Path) -> None:
    assert not any("SECRET" in word for word in store(book, tmp_path).command())


def test_the_worker_and_the_api_get_the_settings(book: PortBook, tmp_path: Path) -> None:
    settings = {"IMAGEMILL_API_KEY": "im_a_b"}
    for part in (Worker(1, tmp_path, settings, {}), Api(settings, book, {})):
        assert part.environment()["IMAGEMILL_API_KEY"] == "im_a_b"


def test_the_image_api_gets_none_of_our_settings(
    book: PortBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEMILL_API_KEY", "im_a_b")
    part = ImageApi("sk", tmp_path / "ledger.jsonl", 0.5, book)
    assert not any(name.startswith("IMAGEMILL_") for name in part.environment())
    assert ("--speed", "0.5") in pairs(part.command())


def test_the_image_api_is_told_its_profile_and_its_limits(book: PortBook, tmp_path: Path) -> None:
    plain = ImageApi("sk", tmp_path / "ledger.jsonl", 0.5, book)
    assert plain.url.endswith("/v1")
    assert not {"--images-per-minute", "--tokens-per-minute"} & set(plain.command())
    limited = ImageApi("sk", tmp_path / "x.jsonl", 0, book, profile="azure", images_per_minute=5)
    assert {("--profile", "azure"), ("--images-per-minute", "5")} <= pairs(limited.command())
    assert limited.url.endswith("/openai")


def test_a_mark_of_an_earlier_worker_is_no_sign_of_readiness(tmp_path: Path) -> None:
    worker = Worker(2, tmp_path, {}, {})
    (tmp_path / "worker-2.ready").touch()
    worker.before_start()
    assert not (tmp_path / "worker-2.ready").exists()

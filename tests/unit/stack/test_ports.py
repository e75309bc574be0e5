from pathlib import Path

import pytest

from sandbox.stack import DataDirectoryBroken, PortBusy, StackError, ports
from sandbox.stack.ports import CHOICE, PortBook, require_free


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    taken: set[int] = set()
    monkeypatch.setattr(ports, "is_free", lambda port: port not in taken)
    return taken


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ports.json"


def test_free_ports_differ_and_stay_below_those_of_outgoing_connections(busy: set[int], file: Path) -> None:
    book = PortBook(file, {})
    taken = {book.take("store", f"store.{number}") for number in range(50)}
    assert len(taken) == 50
    assert all(port in CHOICE for port in taken)


def test_a_given_port_is_taken_as_it_is(busy: set[int], file: Path) -> None:
    assert PortBook(file, {"api": 8123}).take("api", "api") == 8123


def test_a_busy_given_port_is_an_error_that_names_port_and_part(busy: set[int], file: Path) -> None:
    busy.add(8123)
    with pytest.raises(PortBusy, match=r"Port 8123 is wanted by temporal \(ui\), but something else"):
        PortBook(file, {"ui": 8123}).take("temporal", "ui")


def test_one_port_for_two_parts_is_an_error(busy: set[int], file: Path) -> None:
    book = PortBook(file, {"ui": 8123, "api": 8123})
    book.take("temporal", "ui")
    with pytest.raises(StackError, match="8123 was given for both ui and api"):
        book.take("api", "api")


def test_a_number_that_is_no_port_is_an_error(busy: set[int], file: Path) -> None:
    with pytest.raises(StackError, match="70000 for api is none"):
        PortBook(file, {"api": 70_000}).take("api", "api")


def test_ports_are_remembered(busy: set[int], file: Path) -> None:
    first = PortBook(file, {})
    port = first.take("api", "api")
    first.save()
    assert PortBook(file, {}).take("api", "api") == port


def test_ports_of_parts_that_are_left_out_once_stay_remembered(busy: set[int], file: Path) -> None:
    first = PortBook(file, {})
    port = first.take("api", "api")
    first.save()
    second = PortBook(file, {})
    second.take("store", "store")
    second.save()
    assert PortBook(file, {}).take("api", "api") == port


def test_a_remembered_port_that_is_busy_gives_way_to_another(busy: set[int], file: Path) -> None:
    first = PortBook(file, {})
    port = first.take("api", "api")
    first.save()
    busy.add(port)
    assert PortBook(file, {}).take("api", "api") != port


def test_a_remembered_port_that_is_given_to_another_part_gives_way(busy: set[int], file: Path) -> None:
    first = PortBook(file, {})
    port = first.take("temporal", "temporal")
    first.save()
    second = PortBook(file, {"api": port})
    assert second.take("temporal", "temporal") != port
    assert second.take("api", "api") == port


def test_twins_are_both_kept(busy: set[int], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "CHOICE", range(30_000, 30_002))
    book = PortBook(file, {})
    admin = book.take("store", "store.admin", twin=10_000)
    other = book.take("api", "api")
    assert {admin + 10_000, other} == {30_000, 30_001}


def test_no_free_port_at_all_is_an_error(busy: set[int], file: Path) -> None:
    busy.update(CHOICE)
    with pytest.raises(StackError, match="No free port for api"):
        PortBook(file, {}).take("api", "api")


@pytest.mark.parametrize("content", ["[]", "{", '{"api": "8000"}', '{"api": 0}'])
def test_a_file_of_something_else_is_an_error_that_names_it(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(DataDirectoryBroken, match=r"ports\.json cannot be used"):
        PortBook(file, {})


def test_the_first_busy_port_is_named(busy: set[int]) -> None:
    busy.add(2)
    with pytest.raises(PortBusy, match=r"Port 2 is wanted by store \(store.filer\)"):
        require_free("store", {"store": 1, "store.filer": 2})

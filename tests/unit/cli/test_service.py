import json
import os
from pathlib import Path

import pytest

from cli.errors import CliError
from cli.service import ADMIN, Service, find_service

KEY = {"IMAGEMILL_API_KEY": "im_env_secret"}


def write_stack(root: Path, **changes: object) -> None:
    (root / ".imagemill").mkdir()
    content = {"pid": os.getpid(), "url": "http://127.0.0.1:4711", "api_key": "im_stack_secret"} | changes
    (root / ".imagemill/stack.json").write_text(json.dumps(content))


def test_url_and_key_of_the_environment(tmp_path: Path) -> None:
    found = find_service("https://mill.example/", start=tmp_path, environment=KEY)
    assert found == Service("https://mill.example", "im_env_secret")


def test_local_stack_above_with_its_own_key(tmp_path: Path) -> None:
    write_stack(tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)
    found = find_service(None, start=tmp_path / "a/b", environment=KEY)
    assert found == Service("http://127.0.0.1:4711", "im_stack_secret")


def test_a_url_wins_over_the_stack(tmp_path: Path) -> None:
    write_stack(tmp_path)
    assert find_service("http://other:1", start=tmp_path, environment=KEY).url == "http://other:1"


def test_the_stacks_key_goes_to_the_stack_alone(tmp_path: Path) -> None:
    write_stack(tmp_path)
    known = find_service("http://127.0.0.1:4711", start=tmp_path, environment={})
    assert known.api_key == "im_stack_secret"
    with pytest.raises(CliError, match="set IMAGEMILL_API_KEY"):
        find_service("http://127.0.0.1:4712", start=tmp_path, environment={})


def test_the_operators_key(tmp_path: Path) -> None:
    write_stack(tmp_path, admin_key="im_admin_secret")
    known = find_service(None, ADMIN, start=tmp_path, environment=KEY | {ADMIN: "im_other"})
    assert known.api_key == "im_admin_secret"
    given = find_service("http://other:1", ADMIN, start=tmp_path, environment=KEY | {ADMIN: "im_other"})
    assert given.api_key == "im_other"
    with pytest.raises(CliError, match="set IMAGEMILL_ADMIN_KEY"):
        find_service("http://other:1", ADMIN, start=tmp_path, environment=KEY)


def test_a_stack_without_an_operators_key(tmp_path: Path) -> None:
    write_stack(tmp_path)
    with pytest.raises(CliError, match="IMAGEMILL_ADMIN_KEY"):
        find_service(None, ADMIN, start=tmp_path, environment={})


def test_a_stack_that_is_gone_is_none(tmp_path: Path) -> None:
    write_stack(tmp_path, pid=2**22 + 1)  # above the largest that Linux gives
    with pytest.raises(CliError, match="imagemill dev") as caught:
        find_service(None, start=tmp_path, environment={})
    assert "--url" in str(caught.value)
    assert "IMAGEMILL_API_KEY" in str(caught.value)


def test_a_broken_stack_file_is_told(tmp_path: Path) -> None:
    write_stack(tmp_path)
    (tmp_path / ".imagemill/stack.json").write_text("{")
    with pytest.raises(CliError, match=r"stack\.json cannot be used"):
        find_service(None, start=tmp_path, environment={})


@pytest.mark.parametrize(
    "url", ["mill.example", "ftp://mill.example", "http://", "http://[::1", "http://a/?b"]
)
def test_no_address(url: str, tmp_path: Path) -> None:
    with pytest.raises(CliError, match="no address"):
        find_service(url, start=tmp_path, environment=KEY)


def test_the_key_is_not_shown(tmp_path: Path) -> None:
    assert "secret" not in repr(find_service("http://a", start=tmp_path, environment=KEY))
    with pytest.raises(CliError) as caught:
        find_service("http://a", start=tmp_path, environment={"IMAGEMILL_API_KEY": "im_schlüssel"})
    assert "schl" not in str(caught.value)

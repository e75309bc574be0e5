import json
import re
from pathlib import Path

import pytest

from sandbox.stack import DataDirectoryBroken
from sandbox.stack.credentials import Credentials


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "credentials.json"


def test_they_are_made_once(file: Path) -> None:
    assert Credentials.load_or_create(file) == Credentials.load_or_create(file)


def test_each_directory_has_its_own(tmp_path: Path) -> None:
    first, second = Credentials.load_or_create(tmp_path / "a"), Credentials.load_or_create(tmp_path / "b")
    assert first.api_key != second.api_key
    assert first.store_secret_key != second.store_secret_key


def test_only_the_owner_can_read_them(file: Path) -> None:
    Credentials.load_or_create(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_api_key_has_the_form_that_the_api_wants(file: Path) -> None:
    assert re.fullmatch(r"im_[A-Za-z0-9]+_[A-Za-z0-9]{16,}", Credentials.load_or_create(file).api_key)


def test_secrets_are_not_shown(file: Path) -> None:
    made = Credentials.load_or_create(file)
    shown = repr(made)
    assert not any(secret in shown for secret in (made.api_key, made.store_secret_key, made.image_api_key))


def test_a_missing_key_is_an_error_that_names_it(file: Path) -> None:
    Credentials.load_or_create(file)
    file.write_text(json.dumps({"api_key": "im_a_b"}))
    with pytest.raises(DataDirectoryBroken, match="store_secret_key"):
        Credentials.load_or_create(file)

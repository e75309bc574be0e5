"""`imagemill keys`: keys go into the file and out of it, and nothing else of it changes."""

import fcntl
import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import tenants_file
from cli.errors import Stopped
from cli.main import app
from imagemill.tenants_file import read_tenants

WRITTEN = """\
# Our tenants.
[tenants.acme]   # the big one
weight = 2

[tenants.acme.caps]
day_usd = "1.00"

# the nightly feed
# of all shops
[[tenants.acme.keys]]
id = "a1"
sha256 = "HASH"   # made in May
scopes = ["read"]

# the website
[[tenants.acme.keys]]
id = "a2"
sha256 = "HASH"
scopes = [
  "read",
  "submit",
]
expires = 2020-01-31
name = "website"

# everything else
[tenants."beta"]
weight = 1
# the end
""".replace("HASH", "0" * 64)
Keys = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenants.toml"
    path.write_text(WRITTEN)
    path.chmod(0o640)
    return path


@pytest.fixture
def keys(file: Path) -> Keys:
    def run(*words: str) -> Result:
        return CliRunner().invoke(
            app, ["keys", *words], env={"IMAGEMILL_TENANTS_FILE": str(file), "COLUMNS": "200"}
        )

    return run


def read(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text())


def made(result: Result) -> str:
    """The key that was printed, and printed alone."""
    assert result.exit_code == 0, result.output
    found = re.fullmatch(r"(im_[0-9a-f]{12}_[0-9a-f]{40})\n", result.stdout)
    assert found
    return found[1]


# --- create --------------------------------------------------------------------------------------


def test_a_key_is_put_after_what_the_file_says_of_its_tenant(file: Path, keys: Keys) -> None:
    key = made(keys("create", "--tenant", "acme", "--name", 'the "feed"', "--expires", "2999-01-31"))
    before, own, after = WRITTEN.partition('name = "website"\n')

    assert file.read_text() == (
        f"{before}{own}\n"
        "[[tenants.acme.keys]]\n"
        f'id = "{key.split("_")[1]}"\n'
        f'sha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n'
        'scopes = ["read", "submit"]\n'
        "expires = 2999-01-31\n"
        'name = "the \\"feed\\""\n'
        f"{after}"
    )


@pytest.mark.parametrize(
    "before",
    [
        None,
        "",
        "# nothing yet",
        "[tenants.acme]\nweight = 2",
        "[tenants.new]\n\n\n[tenants.acme]\n",
        "[tenants]\nnew = { weight = 2 }\n",
        "[tenants.new.caps]\r\nday_usd = '1'\r\n",
        '[[tenants.new.keys]]\nid = "k"\nsha256 = "' + "0" * 64 + '"\nscopes = ["read"]\n[tenants.acme]\n',
        "tenants.new.weight = 2\n",
    ],
)
def test_the_service_takes_what_was_made_whatever_was_there(
    file: Path, keys: Keys, before: str | None
) -> None:
    if before is None:
        file.unlink()
    else:
        file.write_bytes(before.encode())
    result = keys("create", "--tenant", "new", "--scopes", "admin, read")

    if before and ("new = {" in before):
        assert result.exit_code == 2
        assert "edit the keys of new by hand" in result.stderr
        assert file.read_text() == before
        return
    key = made(result)
    known = read_tenants(file.read_bytes(), "x").key(key.split("_")[1])
    assert known
    assert known.digest == hashlib.sha256(key.encode()).digest()
    assert (known.caller.tenant, sorted(known.caller.scopes)) == ("new", ["admin", "read"])
    after = iter(file.read_text().splitlines())
    assert all(line in after for line in (before or "").splitlines())  # all of them, in their order


def test_who_made_it_is_told_the_rest_on_standard_error(keys: Keys) -> None:
    known = keys("create", "--tenant", "acme", "--expires", "90d")
    new = keys("create", "--tenant", "gamma")

    assert made(known) not in known.stderr
    assert "Tenant" not in known.stderr
    assert "Tenant gamma is new" in new.stderr
    until = datetime.now(UTC) + timedelta(days=90)
    assert f"may read, submit, until {until:%Y-%m}" in known.stderr


def test_it_ends_so_many_days_from_now(file: Path, keys: Keys) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    made(keys("create", "--tenant", "beta", "--expires", "90d"))
    expires = read(file)["tenants"]["beta"]["keys"][0]["expires"]

    assert before + timedelta(days=90) <= expires <= datetime.now(UTC) + timedelta(days=90)


def test_no_two_keys_are_alike(keys: Keys) -> None:
    assert len({made(keys("create", "--tenant", "acme")) for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tenant", "Acme"], "'Acme' is no tenant"),
        (
            ["--tenant", "acme", "--scopes", "read,write"],
            "'write' is no scope; there are read, submit, admin",
        ),
        (["--tenant", "acme", "--scopes", ""], "'' is no scope"),
        (
            ["--tenant", "acme", "--expires", "soon"],
            "neither a day such as 2027-01-31 nor a time such as 90d",
        ),
        (["--tenant", "acme", "--expires", "2026-02-30"], "neither a day"),
        (["--tenant", "acme", "--expires", "2020-01-01"], "2020-01-01 has passed already"),
        (["--tenant", "acme", "--expires", "0d"], "0d has passed already"),
        (["--tenant", "acme", "--expires", "99999d"], ""),
        (["--tenant", "acme", "--name", "a\nb"], "1 to 100 characters that can be printed"),
        ([], "Missing option '--tenant'"),
    ],
)
def test_wrong_input_is_told_and_changes_nothing(file: Path, keys: Keys, words: list[str], said: str) -> None:
    result = keys("create", *words)
    if not said:
        made(result)  # a long time, but a time
        return
    assert result.exit_code == 2
    assert said in result.stderr
    assert (result.stdout, file.read_text()) == ("", WRITTEN)


def test_without_a_file_it_says_how_to_name_one() -> None:
    result = CliRunner().invoke(app, ["keys", "list"], env={"IMAGEMILL_TENANTS_FILE": "", "COLUMNS": "200"})

    assert result.exit_code == 2
    assert "--file" in result.stderr


# --- list and revoke -----------------------------------------------------------------------------


def test_keys_are_listed_without_their_hashes(keys: Keys) -> None:
    result = keys("list")

    assert [line.split() for line in result.stdout.splitlines()] == [
        ["Name", "Id", "Tenant", "Scopes", "Until"],
        ["-", "a1", "acme", "read", "-"],
        ["website", "a2", "acme", "read,submit", "2020-01-31", "(over)"],
    ]


def test_a_revoked_key_goes_with_the_comment_above_it_and_nothing_else(file: Path, keys: Keys) -> None:
    result = keys("revoke", "a1")

    assert result.exit_code == 0
    assert "Key a1 of tenant acme is revoked" in result.stderr
    start, end = WRITTEN.index("# the nightly feed"), WRITTEN.index("# the website")
    assert file.read_text() == WRITTEN[:start] + WRITTEN[end:]
    keys("revoke", "a2")
    assert file.read_text() == WRITTEN[:start] + WRITTEN[WRITTEN.index("# everything else") :]
    assert "keys" not in read(file)["tenants"]["acme"]


def test_what_is_made_can_be_revoked_and_leaves_no_trace(file: Path, keys: Keys) -> None:
    key = made(keys("create", "--tenant", "acme"))
    keys("revoke", key.split("_")[1])

    assert read(file) == tomllib.loads(WRITTEN)
    assert file.read_text().replace("\n", "") == WRITTEN.replace("\n", "")


@pytest.mark.parametrize("word", ["im_a1_0123456789abcdef", "a-1", ""])
def test_what_is_no_id_is_not_repeated(keys: Keys, word: str) -> None:
    result = keys("revoke", word)

    assert result.exit_code == 2
    assert "that is no id of a key" in result.stderr
    assert "0123456789abcdef" not in result.output


def test_a_key_that_is_not_there_is_an_error(file: Path, keys: Keys) -> None:
    result = keys("revoke", "a3")

    assert (result.exit_code, file.read_text()) == (2, WRITTEN)
    assert "there is no key a3" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tenants", "is no TOML"),
        ("tenants = 5", "has no tables such as [tenants.shop-1]"),
        ("[tenants]\nacme = 5", "tenants.acme is no table"),
        ("[tenants.acme]\nkeys = 5", "tenants.acme is no table with [[tenants.acme.keys]]"),
        ("[tenants.acme]\nkeys = [5]", "tenants.acme.keys.0: is no key"),
        ('[tenants.acme]\nkeys = [{ id = "a1" }]\n', "edit the keys of acme by hand"),
    ],
)
def test_a_file_that_is_none_is_told_and_left_alone(file: Path, keys: Keys, text: str, said: str) -> None:
    file.write_text(text)
    results = [keys("list"), keys("revoke", "a1")]

    assert any(result.exit_code == 2 and said in result.stderr for result in results)
    assert file.read_text() == text


@pytest.mark.parametrize("words", [["list"], ["revoke", "a1"]])
def test_a_file_that_is_not_there_is_told(file: Path, keys: Keys, words: list[str]) -> None:
    file.unlink()
    result = keys(*words)

    assert result.exit_code == 2
    assert f"there is no file {file}" in result.stderr
    assert not file.exists()


def test_text_that_looks_like_a_header_is_not_taken_for_one(file: Path, keys: Keys) -> None:
    text = '[tenants.acme]\n[[tenants.acme.keys]]\nid = "a1"\nname = """\n[[tenants.acme.keys]]\n"""\n'
    file.write_text(text)
    result = keys("revoke", "a1")

    assert (result.exit_code, file.read_text()) == (2, text)
    assert "by hand" in result.stderr


# --- the file itself -----------------------------------------------------------------------------


def test_mode_and_link_of_the_file_are_kept_and_a_new_one_is_private(
    file: Path, keys: Keys, tmp_path: Path
) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    made(keys("create", "--tenant", "acme", "--file", str(link)))
    made(keys("create", "--tenant", "acme", "--file", str(tmp_path / "new.toml")))

    assert link.is_symlink()
    assert len(read(file)["tenants"]["acme"]["keys"]) == 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "new.toml").stat().st_mode) == 0o600


def test_a_file_that_can_t_be_written_stays_whole_and_no_key_is_printed(
    file: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = keys("create", "--tenant", "acme")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "can't be written: No space left on device" in result.stderr
    assert (file.read_text(), [path.name for path in file.parent.iterdir()]) == (WRITTEN, [file.name])


def test_two_that_edit_at_once_wait_for_each_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked: list[int] = []
    monkeypatch.setattr(fcntl, "flock", lambda _, how: locked.append(how))

    def edit(read: tenants_file.TenantsFile) -> str:
        assert locked == [fcntl.LOCK_EX]  # before it is read, not only before it is written
        return "".join(read.lines)

    tenants_file.change(file, edit)
    assert file.read_text() == WRITTEN


def test_the_folder_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="can't be written: No such file or directory"):
        tenants_file.change(tmp_path / "none" / "tenants.toml", lambda _: "", new=True)

from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.places import UnsafeKey, holds, name_within, place_below
from tests.unit.cli.answers import JOB


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (f"images/{JOB}/ring-01/square-1.png", "ring-01/square-1.png"),
        (f"{JOB}/ring-01.png", "ring-01.png"),
        (f"a/b/{JOB}/ring-01/1.f4e21e28-0-0-1.png", "ring-01/1.f4e21e28-0-0-1.png"),
        (f"images/{JOB}/{JOB}/1.png", f"{JOB}/1.png"),
        (f"images/{JOB}/Café ☕/…/1.png", "Café ☕/…/1.png"),
    ],
)
def test_the_part_after_the_job(key: str, name: str) -> None:
    assert str(name_within(JOB, key)) == name


@pytest.mark.parametrize(
    "key",
    [
        "images/job_other/1.png",
        f"images/{JOB}x/1.png",
        f"images/{JOB}/",
        f"images/{JOB}//etc/passwd",
        f"images/{JOB}/../1.png",
        f"images/{JOB}/a/../../1.png",
        f"images/{JOB}/./1.png",
        f"images/{JOB}/a\\..\\1.png",
        f"images/{JOB}/a\0.png",
        f"images/{JOB}/a\x1b[2J.png",
        f"images/{JOB}/results.jsonl",
    ],
)
def test_unsafe_keys(key: str) -> None:
    with pytest.raises(UnsafeKey):
        name_within(JOB, key)


@given(st.text(alphabet="ab./\\~\0\n", max_size=20))
def test_never_outside(rest: str) -> None:
    folder = Path("/nowhere/folder")
    try:
        place = place_below(folder, name_within(JOB, f"{JOB}/{rest}"))
    except UnsafeKey:
        return
    assert ".." not in place.parts
    assert place.is_relative_to(folder)
    assert place != folder


def test_a_link_that_leads_out(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    with pytest.raises(UnsafeKey, match="leads out"):
        place_below(folder, PurePosixPath("link/new/1.png"))


def test_holds(tmp_path: Path) -> None:
    place = tmp_path / "1.png"
    assert not holds(place, "00")
    place.write_bytes(b"image")
    assert holds(place, sha256(b"image").hexdigest())
    assert not holds(place, "00")

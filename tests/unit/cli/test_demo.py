import json
from pathlib import Path

import pytest
from PIL import Image

from cli import demo_folder
from cli.errors import CliError
from sandbox.demo import Tile, draw_contact_sheet, products


def test_the_export_is_one_of_a_believable_shop() -> None:
    listed = products()
    assert len(listed) >= 20
    assert len({product.sku for product in listed}) == len(listed)
    assert sum(product.rows for product in listed) > 2 * len(listed)


def test_a_sheet_of_odd_numbers(tmp_path: Path) -> None:
    for name, size in {"square": (64, 64), "banner": (96, 64)}.items():
        Image.new("RGB", size, "red").save(tmp_path / f"{name}.png")
    pictures = [tmp_path / "square.png", tmp_path / "banner.png"]
    tiles = [Tile(f"SKU-{n}", "A long title of a Café 🫎 " * n, pictures) for n in range(5)]
    sheet = draw_contact_sheet("Shop", "5 products", tiles)
    alone = draw_contact_sheet("Shop", "1 product", tiles[:1])
    assert sheet.width > sheet.height / 2
    assert alone.width < sheet.width


def test_an_earlier_demo_gives_way_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "demo-output"
    demo_folder.prepare(folder)
    for name in ("a/1.png", "b/1.png", "b/mine.txt", "contact-sheet.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    lines = [{"images": [{"file": "a/1.png"}, {"file": None}]}, {"images": [{"file": "b/1.png"}]}]
    (folder / "results.jsonl").write_text("\n".join(map(json.dumps, lines)))
    demo_folder.prepare(folder)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert left == {".imagemill-demo", "b", "b/mine.txt"}


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CliError, match="no demo made"):
        demo_folder.prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "demo-output").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CliError, match="is no folder"):
        demo_folder.prepare(tmp_path / "demo-output")


@pytest.mark.parametrize("file", ["../victim.txt", "/etc/hostname"])
def test_a_forged_list_reaches_nothing_outside(file: str, tmp_path: Path) -> None:
    folder, victim = tmp_path / "demo-output", tmp_path / "victim.txt"
    victim.write_text("mine")
    demo_folder.prepare(folder)
    (folder / "results.jsonl").write_text(json.dumps({"images": [{"file": file}]}))
    with pytest.raises(CliError):
        demo_folder.prepare(folder)
    assert victim.exists()


def test_a_broken_list_is_told(tmp_path: Path) -> None:
    demo_folder.prepare(tmp_path)
    (tmp_path / "results.jsonl").write_text("{}")
    with pytest.raises(CliError, match="not what a demo wrote"):
        demo_folder.prepare(tmp_path)

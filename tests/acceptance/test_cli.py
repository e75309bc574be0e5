"""The command line, typed as a person or a script would, against a real stack."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from cli.errors import CliError
from cli.service import find_service
from sandbox.stack import LocalStack, StackOptions

COMMAND = (sys.executable, "-m", "cli.main")
ROOT = Path(__file__).resolve().parents[2]
CATALOG = "sku,name,about\nring-01,Signet ring,<p>Gold &amp; onyx</p>\n,no sku,\nring-02,Moon ring,\n"
TEMPLATES = ("--id", "{{ row.sku }}", "--prompt", "{{ row.name }} {{ row.about | strip_html }}")
CHEAP = ("--model", "gpt-image-2.5-flare", "--quality", "low", "--limit-usd", "1.00")
NOBODY = "http://127.0.0.1:9"
DEFAULTS = {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack as `imagemill dev` runs it, in a folder of its own."""
    root = tmp_path_factory.mktemp("cli")
    (root / "shop.csv").write_text(CATALOG)
    # A small window, so that long jobs are long by waiting and not by drawing.
    options = StackOptions(data_dir=root / ".imagemill", extra_env={"IMAGEMILL_WORK_WINDOW": "8"})
    async with LocalStack(options) as running:
        yield running


@pytest.fixture
def here(stack: LocalStack) -> Path:
    """The folder in which the stack was started."""
    return stack.directory.root.parent


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGEMILL_")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"} | more


def typed(
    here: Path, *words: str, stdin: str | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *words],
        cwd=here,
        env=environment(**more),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def together(
    *calls: "Callable[[], subprocess.CompletedProcess[str]]",
) -> "list[subprocess.CompletedProcess[str]]":
    """Runs commands side by side: most of their time is Python's start."""
    with ThreadPoolExecutor() as threads:
        return list(threads.map(lambda call: call(), calls))


async def begun(here: Path, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        cwd=here,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def read_until(process: asyncio.subprocess.Process, text: str) -> str:
    """Reads standard output until a text appears; fails at its end."""
    assert process.stdout is not None
    read = ""
    async with asyncio.timeout(30):
        while text not in read:
            line = await process.stdout.readline()
            assert line, f"it ended without {text!r}, but with: {read}"
            read += line.decode()
    return read


def submit_json(here: Path, body: object, *words: str) -> "subprocess.CompletedProcess[str]":
    return typed(here, "submit", "--job", "-", *words, stdin=json.dumps(body))


def body(count: int, **changes: object) -> dict[str, object]:
    items = [{"custom_id": f"mug-{n}", "prompt": f"An enamel mug, number {n}"} for n in range(count)]
    return {"defaults": DEFAULTS | changes, "items": items, "budget": {"limit_usd": "500.00"}}


def leftovers(folder: Path) -> list[str]:
    """Command lines of processes whose arguments name something in a folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        lines.append(line)
    return [line for line in lines if str(folder) in line]


def contents(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for the demo's own temporary one; short, since paths of sockets are."""
    with tempfile.TemporaryDirectory(prefix="mill-") as folder:
        yield Path(folder)


def readme_output() -> str:
    """What the README says that the demo prints."""
    return (ROOT / "README.md").read_text().split("<!-- demo output -->\n```text\n")[1].split("```")[0]


def masked(output: str) -> list[str]:
    """Its lines without what differs from run to run: times, ids, rates."""
    lines = [re.sub(r"job_\w+|[\d.]+(/min| s\b)", "#", line) for line in output.splitlines()]
    return [re.sub(r" +", " ", line) for line in lines]


def test_the_demo(tmp_path: Path, scratch: Path) -> None:
    result = typed(tmp_path, "demo", TMPDIR=str(scratch), COLUMNS="80")
    assert (result.returncode, result.stderr) == (0, "")
    assert "48 (48 succeeded)" in result.stdout
    assert set(masked(readme_output())) <= set(masked(result.stdout))
    assert all(line == line.rstrip() for line in result.stdout.splitlines())
    folder = tmp_path / "demo-output"
    images = list(folder.glob("*/*.png"))
    assert len(images) == 48
    assert len((folder / "results.jsonl").read_text().splitlines()) == 48
    with Image.open(folder / "contact-sheet.png") as sheet:
        sheet.load()
        assert min(sheet.size) > 1000
    assert leftovers(scratch) == []
    assert contents(scratch) == []


async def test_the_demo_interrupted_leaves_nothing(tmp_path: Path, scratch: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "demo"),
        cwd=tmp_path,
        env=environment(TMPDIR=str(scratch)),
        stdout=asyncio.subprocess.PIPE,
    )
    await read_until(process, "Submitted as job_")
    assert leftovers(scratch) != []
    process.send_signal(signal.SIGINT)
    output, _ = await asyncio.wait_for(process.communicate(), timeout=20)
    assert (process.returncode, b"Interrupted; everything is stopped." in output) == (130, True)
    assert leftovers(scratch) == []
    assert contents(scratch) == []
    with pytest.raises(CliError):
        find_service(None, start=tmp_path)


def test_from_a_manifest_to_its_images(here: Path) -> None:
    wanted = ("--where", "{{ row.sku }}", "--variant", "square:1024x1024", "--variant", "wide:1536x1024")
    result = typed(here, "submit", "shop.csv", *TEMPLATES, *wanted, *CHEAP, "--name", "Rings", "--watch")
    job = result.stdout.removesuffix("\n")
    assert result.returncode == 0, result.stderr
    assert job.startswith("job_")
    assert result.stderr.splitlines()[-1].startswith("completed   4/4 items  4 images  $0.0")

    shown, raw, fetched = together(
        partial(typed, here, "status", job),
        partial(typed, here, "status", job, "--json"),
        partial(typed, here, "results", job, "--to", "out"),
    )
    assert "Name      Rings" in shown.stdout
    assert "Items     4 (4 succeeded)" in shown.stdout
    status = json.loads(raw.stdout)
    assert (status["id"], status["state"], status["images"]) == (job, "completed", 4)
    assert (fetched.returncode, fetched.stderr) == (0, "")
    assert fetched.stdout.startswith("4 images in out, listed in out/results.jsonl")
    names = sorted(str(path.relative_to(here / "out")) for path in (here / "out").rglob("*.png"))
    assert names == [f"ring-0{n}/{kind}-1.png" for n in (1, 2) for kind in ("square", "wide")]

    # Again: what is right is left, what was damaged is mended.
    lines = [json.loads(line) for line in (here / "out/results.jsonl").read_text().splitlines()]
    (here / "out/ring-01/wide-1.png").write_bytes(b"damaged")
    again = typed(here, "results", job, "--to", "out")
    assert again.stdout.startswith("4 images in out (3 were there already)")
    for image in (image for line in lines for image in line["images"]):
        content = (here / "out" / image["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == image["sha256"]


def test_a_set_of_images_submitted_twice_with_one_key(here: Path) -> None:
    job = submit_json(here, body(1, n=2), "--idempotency-key", "once").stdout.strip()
    again, watched, other = together(
        partial(submit_json, here, body(1, n=2), "--idempotency-key", "once"),
        partial(typed, here, "watch", job),
        partial(submit_json, here, body(2), "--idempotency-key", "once"),
    )
    assert again.stdout == f"{job}\n"
    assert (other.returncode, other.stdout) == (1, "")
    assert "idempotency key belongs to another submission" in other.stderr
    assert watched.returncode == 0
    assert watched.stdout.splitlines()[-1].startswith("completed   1/1 items  2 images")
    assert "\x1b" not in watched.stdout

    # The names carry the reservation, and are kept.
    assert typed(here, "results", job).returncode == 0
    names = sorted(path.name for path in (here / job / "mug-0").iterdir())
    assert [name.split(".")[0] for name in names] == ["1", "2"]
    assert all(name.count(".") == 2 for name in names)


def test_errors_are_told(here: Path) -> None:
    bad = typed(here, "submit", "shop.csv", "--id", "{{ row.Sku }}", "--prompt", "{% if %}", *CHEAP)
    assert (bad.returncode, bad.stdout) == (1, "")
    first, *more = bad.stderr.splitlines()
    assert first == "Error: The submission can't be run as it is"
    assert any(line.startswith("  /manifest/id: ") for line in more)
    assert any(line.startswith("  /manifest/prompt: ") for line in more)


def test_refusals_are_told(here: Path) -> None:
    url = find_service(None, start=here).url
    missing, wrong, nobody = together(
        partial(typed, here, "status", "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"),
        partial(typed, here, "status", "job_1", IMAGEMILL_URL=url, IMAGEMILL_API_KEY="im_wrong_key"),
        partial(typed, here, "watch", "job_1", IMAGEMILL_URL=NOBODY, IMAGEMILL_API_KEY="im_a_b"),
    )
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (1, "Error: There is no such thing")
    assert "The API key is missing or wrong" in wrong.stderr
    assert "im_wrong_key" not in wrong.stderr
    assert (nobody.returncode, nobody.stdout) == (5, "")
    assert f"Nothing answers at {NOBODY}. Start the service" in nobody.stderr


async def test_money_from_the_estimate_to_the_receipt(here: Path) -> None:
    large, small = body(200, quality="high"), body(8) | {"budget": {"limit_usd": "0.02"}}
    refused, estimated, submitted = await asyncio.to_thread(
        together,
        partial(submit_json, here, large),
        partial(submit_json, here, large, "--estimate"),
        partial(submit_json, here, small),
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Estimate: 200 items, likely $10.")
    assert "Give --yes to submit it." in refused.stderr
    assert estimated.returncode == 0
    assert estimated.stdout.splitlines() == refused.stderr.splitlines()[:2]
    assert re.fullmatch(r"job_\w+\n", submitted.stdout)
    assert "likely not enough for all of them" in submitted.stderr
    job = submitted.stdout.strip()

    # The command that the held job asks for is typed as it stands there, and is enough.
    watching = await begun(here, "watch", job)
    shown = await read_until(watching, "imagemill budget")
    assert "would likely buy all:" in shown
    raised = await asyncio.to_thread(typed, here, *shown.splitlines()[-1].split()[1:])
    assert raised.stdout.startswith(f"{job} may spend $0.05 in all; $0.0")
    output, _ = await asyncio.wait_for(watching.communicate(), timeout=30)
    assert (watching.returncode, output.count(b"imagemill budget")) == (0, 0)
    assert output.decode().splitlines()[-1].startswith("completed   8/8 items  8 images  $0.0")

    report, raw, caps = await asyncio.to_thread(
        together,
        partial(typed, here, "report", job, "--items"),
        partial(typed, here, "report", job, "--items", "--json"),
        partial(typed, here, "caps", "--day-usd", "900"),
    )
    receipt = json.loads(raw.stdout)
    assert (receipt["state"], len(receipt["data"])) == ("completed", 8)
    assert re.search(r"^gpt-image-2\.5-flare +succeeded +8 +8 +\$0\.0\d+ +\$0\.00 +0$", report.stdout, re.M)
    assert report.stdout.count("  settled $0.00") == 8
    assert caps.stdout.splitlines()[1:] == ["Day       $900.00", "Month     $10,000.00", "Time zone UTC"]
    usage = await asyncio.to_thread(typed, here, "usage")
    lines = usage.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert re.match(r"today +\$\d+\.\d+ +\$900\.00 ", lines[3])
    assert any(line.startswith(f"{job}  completed ") for line in lines)


async def test_a_long_job_through_an_outage_ctrl_c_and_cancel(stack: LocalStack, here: Path) -> None:
    submitted = await asyncio.to_thread(submit_json, here, body(200, quality="high"), "--yes")
    job = submitted.stdout.strip()
    watching = await begun(here, "watch", job)
    await read_until(watching, "running")
    await stack.stop_part("api")
    await read_until(watching, "The service does not answer.")
    await stack.start_part("api")
    await read_until(watching, "The service is back.")

    watching.send_signal(signal.SIGINT)
    output, errors = await asyncio.wait_for(watching.communicate(), timeout=10)
    assert (watching.returncode, errors) == (130, b"")
    assert b"No longer watching; the job goes on." in output

    cancelled = await asyncio.to_thread(typed, here, "cancel", job)
    assert (cancelled.returncode, cancelled.stdout.split()[0]) == (0, job)
    watched = await asyncio.to_thread(typed, here, "watch", job)
    assert watched.returncode == 3
    assert watched.stdout.splitlines()[-1].startswith("cancelled ")
    results = await asyncio.to_thread(typed, here, "results", job, "--to", "cancelled")
    assert results.returncode == 0
    assert "items without images: " in results.stdout


def test_several_jobs_are_watched_at_once(here: Path) -> None:
    (here / "photos.toml").write_text(
        'id = "{{ row.sku }}"\nprompt = "{{ row.name }}"\nwhere = "{{ row.sku }}"\n'
        'model = "gpt-image-2.5-flare"\nquality = "low"\ncap = 1\n'
    )
    first, second = together(
        partial(typed, here, "submit", "shop.csv", "--template", "photos.toml"),
        partial(typed, here, "submit", "shop.csv", "--template", "photos.toml", "--format", "webp"),
    )
    jobs = [first.stdout.strip(), second.stdout.strip()]
    lines, documents, listed = together(
        partial(typed, here, "watch", *jobs),
        partial(typed, here, "watch", *jobs, "--json"),
        partial(typed, here, "jobs", "list", "--json", "--limit", "2"),
    )
    assert (lines.returncode, documents.returncode) == (0, 0), lines.stderr + documents.stderr
    ends = [line for line in lines.stdout.splitlines() if "  completed " in line]
    assert {line.split()[0] for line in ends} == set(jobs)
    told = [json.loads(line) for line in documents.stdout.splitlines()]
    assert {each["id"] for each in told if each["state"] == "completed"} == set(jobs)
    assert {json.loads(line)["id"] for line in listed.stdout.splitlines()} == set(jobs)


async def test_a_download_outlives_its_own_death_and_the_service_s(stack: LocalStack, here: Path) -> None:
    # Held for its cap, the job keeps the second one waiting for as long as it takes to stop the service.
    part = body(40, quality="high") | {"budget": {"limit_usd": "1.00"}}
    submitted = await asyncio.to_thread(submit_json, here, part, "--yes")
    job, folder = submitted.stdout.strip(), here / "followed"
    words = ("results", job, "--to", "followed", "--as", "{index:03}/{sku}-{n}.{ext}", "--follow")
    first = await begun(here, *words, "--parallel", "2")
    await until(lambda: len(list(folder.glob("*/*.png"))) >= 4)
    first.kill()
    await first.communicate()
    there = {path: path.read_bytes() for path in folder.glob("*/*.png")}
    assert not (folder / "results.jsonl").exists()

    second = await begun(here, *words)
    await until(lambda: len(list(folder.glob("*/*.png"))) > len(there))
    await stack.stop_part("api")
    try:
        assert second.stderr is not None
        while b"Trying again." not in (said := await second.stderr.readline()):
            assert said, "it ended without the service"
    finally:
        await stack.start_part("api")
    raised = await asyncio.to_thread(typed, here, "budget", job, "--limit-usd", "500")
    assert raised.returncode == 0, raised.stderr
    output, errors = await asyncio.wait_for(second.communicate(), timeout=60)
    assert second.returncode == 0, errors.decode()
    found = re.match(rb"40 images in followed \((\d+) were there already\)", output)
    assert found, output
    assert int(found[1]) >= len(there)
    assert all(path.read_bytes() == content for path, content in there.items())
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [line["images"][0]["file"] for line in lines] == [f"{n + 1:03}/mug-{n}-1.png" for n in range(40)]
    for image in (image for line in lines for image in line["images"]):
        assert hashlib.sha256((folder / image["file"]).read_bytes()).hexdigest() == image["sha256"]
    assert list(folder.rglob("*.part")) == []


async def until(holds: "Callable[[], bool]") -> None:
    """Looks again and again until something holds."""
    async with asyncio.timeout(60):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


async def test_the_doctor_of_a_stack_that_is_well_and_of_one_that_is_not(
    stack: LocalStack, here: Path
) -> None:
    well = await asyncio.to_thread(typed, here, "doctor")
    assert (well.returncode, well.stderr) == (0, ""), well.stdout
    assert "✗" not in well.stdout
    assert well.stdout.endswith("All is well.\n")

    await stack.stop_part("store")
    try:
        ill = await asyncio.to_thread(typed, here, "doctor", "--json")
    finally:
        await stack.start_part("store")
    bad = {check["name"]: check for check in json.loads(ill.stdout)["checks"] if check["found"] == "bad"}
    assert ill.returncode == 1
    assert {"local stack", "store"} <= set(bad)
    assert "nothing listens: store at http" in bad["local stack"]["detail"]
    assert all(check["mend"] for check in bad.values())


async def test_a_schedule_from_its_preview_to_its_end(here: Path) -> None:
    items = [{"custom_id": "post", "prompt": "Post number {{ run.number }} of {{ run.date }}"}]
    (here / "posts.json").write_text(json.dumps(body(1) | {"items": items}))
    when = ("--cron", "0 6 * * 1", "--time-zone", "Europe/Berlin")
    preview, made = await asyncio.to_thread(
        together,
        partial(typed, here, "schedules", "preview", *when),
        partial(
            typed, here, "schedules", "create", "weekly", *when, "--job", "posts.json", "--month-usd", "50"
        ),
    )
    assert made.returncode == 0, made.stderr
    schedule = made.stdout.strip()
    assert "Monday" in preview.stdout.splitlines()[0]
    assert len(preview.stdout.splitlines()) == 11

    paused = await asyncio.to_thread(typed, here, "schedules", "pause", schedule, "--note", "shut")
    assert re.search(r"^State +paused$", paused.stdout, re.M)
    assert re.search(r"^Note +shut$", paused.stdout, re.M)
    edited = await asyncio.to_thread(
        typed, here, "schedules", "edit", schedule, "--cron", "0 7 * * 1", "--cap", "9"
    )
    assert edited.returncode == 0, edited.stderr
    assert "up to $9" in edited.stdout
    triggered = await asyncio.to_thread(typed, here, "schedules", "trigger", schedule, "--json")
    job = json.loads(triggered.stdout)["job"]
    await until_seen(here, schedule, job)
    watched = await asyncio.to_thread(typed, here, "watch", job)
    assert watched.returncode == 0, watched.stdout + watched.stderr
    listed = await asyncio.to_thread(typed, here, "schedules", "list", "--json")
    gone = await asyncio.to_thread(typed, here, "schedules", "delete", schedule)
    assert json.loads(listed.stdout)["id"] == schedule
    assert gone.stdout == f"{schedule} is gone; its jobs go on\n"


async def until_seen(here: Path, schedule: str, job: str) -> None:
    """Asks for a schedule's runs until one has the job."""
    async with asyncio.timeout(60):
        while True:
            runs = await asyncio.to_thread(typed, here, "schedules", "runs", schedule, "--json")
            if job in runs.stdout:
                return

"""What the demo shows."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich import box
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.answers import Job
from cli.download import Account
from cli.errors import harmless
from cli.money import dollars
from cli.results import counted
from cli.running import out
from cli.show import items_by_state
from sandbox.demo import MANIFEST, PROMPT, products
from sandbox.demo.shop import LIMIT_USD, MODEL, SKU, VARIANTS, WHERE
from sandbox.stack import PartReport

SHOWN_PRODUCTS = 4
ABOUT = {
    "temporal": "the engine that keeps every job, over crashes too",
    "store": "an S3 object store for manifests and images",
    "image-api": "a sandbox image API that draws by itself, for nothing",
    "worker-1": "runs the jobs and makes the calls",
    "api": "takes jobs over HTTP",
}


class DemoScreen:
    """Prints the demo's steps: plainly in a pipe, with a little colour on a terminal."""

    def __init__(self) -> None:
        self.console = out()

    def opening(self) -> None:
        """What is about to happen."""
        self._print(Text("Imagemill demo: a shop's product export in, its images out.", style="bold"))
        self._step("Starting everything on this machine")

    def part(self, report: PartReport) -> None:
        """A part that has come up, or has ended by itself."""
        if report.state == "ready":
            line = Text(f"  {report.name:<10} ")
            line.append(f"{report.seconds:4.1f} s", style="green")
            line.append(f"  {ABOUT.get(report.name, '')}", style="dim")
            self._print(line)
        elif report.state == "died":
            self._print(Text(f"  {report.name:<10} died", style="bold red"))

    def all_up(self) -> None:
        """Everything runs."""
        self.console.file.flush()

    def job(self) -> None:
        """The manifest and the templates."""
        listed = products()
        rows = sum(product.rows for product in listed)
        self._step(f"The manifest: {MANIFEST.name}, {rows} rows of {len(listed)} products")
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for column in ("SKU", "Title", "Vendor", "Rows"):
            table.add_column(column, justify="right" if column == "Rows" else "left", no_wrap=True)
        for product in listed[:SHOWN_PRODUCTS]:
            table.add_row(product.sku, product.title, product.vendor, str(product.rows))
        table.add_row("…", "", "", "")
        self._print(Padding(table, (0, 0, 0, 2)))
        self._step("The job: two pictures a product, described by one template")
        self._print(Padding(_request(), (0, 0, 0, 2)))

    def accepted(self, job: Job) -> None:
        """The job has begun."""
        self._step(f"Submitted as {job.id}")

    def downloading(self, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A bar over the images; what it gives is called after each."""
        return counted(self.console, total)

    def say(self, sentence: str) -> None:
        """Something else."""
        self._print(Text(f"  {sentence}", style="yellow"))

    def result(self, job: Job, account: Account, folder: Path, sheet: Path | None, seconds: float) -> None:
        """What came out."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("Items", items_by_state(job))
        table.add_row("Images", f"{account.images:,} downloaded, SHA-256 of each checked")
        table.add_row(
            "Spent", f"{dollars(job.cost.spent)} (sandbox dollars) of a cap of {dollars(job.cost.limit_usd)}"
        )
        table.add_row(
            "Took", f"{job.seconds or 0:.1f} s for the job, {seconds:.1f} s with upload, download and sheet"
        )
        table.add_row("Folder", f"{folder}/")
        table.add_row("See all", str(sheet) if sheet else "no images came out")
        well = job.state == "completed" and not account.failed
        self._print(Text())
        self._print(
            Panel(
                table,
                title=job.state.replace("_", " "),
                title_align="left",
                border_style="green" if well else "red",
                box=box.ROUNDED,
                padding=(0, 1),
            )
        )
        for key, why in account.failed:
            self.say(harmless(f"Not fetched: {key}: {why}"))

    def closing(self, interrupted: bool) -> None:
        """Everything is down again."""
        said = (
            "Interrupted; everything is stopped."
            if interrupted
            else "Everything is stopped. Start it to stay: imagemill dev"
        )
        self._print(Text(said, style="dim"))

    def _step(self, title: str) -> None:
        self._print(Text())
        self._print(Text(title, style="bold"))

    def _print(self, what: object) -> None:
        if self.console.is_terminal:
            self.console.print(what)
            return
        with self.console.capture() as written:
            self.console.print(what)
        for line in written.get().splitlines():
            self.console.file.write(line.rstrip() + "\n")
        # A pipe is read while the demo runs, not when it ends.
        self.console.file.flush()


def _request() -> Table:
    """The request's templates and settings."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    sizes = ", ".join(f"{name} {size}" for name, size in VARIANTS)
    rows = {
        "id": SKU,
        "where": WHERE,
        "prompt": PROMPT,
        "variants": sizes,
        "model": MODEL,
        "cap": f"${LIMIT_USD}",
    }
    for name, value in rows.items():
        table.add_row(name, Text(value))
    return table

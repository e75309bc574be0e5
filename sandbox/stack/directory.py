"""Where a local stack keeps its things."""

from dataclasses import dataclass
from pathlib import Path

# A log that has grown beyond this is set aside at the next start; the one before it goes.
LOG_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The paths inside a data directory."""

    root: Path

    @property
    def credentials(self) -> Path:
        """The generated keys."""
        return self.root / "credentials.json"

    @property
    def api_key(self) -> Path:
        """The key for our own API alone, for `$(cat …)` in a shell."""
        return self.root / "api-key"

    @property
    def ports(self) -> Path:
        """The ports of the last run."""
        return self.root / "ports.json"

    @property
    def addresses(self) -> Path:
        """Where the running stack can be reached; there only while it runs."""
        return self.root / "stack.json"

    @property
    def lock(self) -> Path:
        """Held by the stack that runs."""
        return self.root / "lock"

    @property
    def store(self) -> Path:
        """The object store's files."""
        return self.root / "store"

    @property
    def run(self) -> Path:
        """What has no meaning after a stop: marks of readiness, the store's configuration."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """What the parts write."""
        return self.root / "logs"

    def log(self, part: str) -> Path:
        """The log of a part."""
        return self.logs / f"{part}.log"

    def prepare(self) -> None:
        """Makes what is missing, for the owner's eyes only, and out of git's sight."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.store, self.run, self.logs):
            folder.mkdir(exist_ok=True, mode=0o700)
        (self.root / ".gitignore").write_text("*\n", encoding="utf-8")
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_suffix(".log.1"))

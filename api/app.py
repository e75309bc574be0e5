"""The HTTP application, wired from the settings."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import files, health, jobs, problems, usage, validations
from api.context import Context, hash_key
from api.limits import BodyLimit
from imagemill import settings
from imagemill.engine import TemporalEngine, connect
from imagemill.storage.s3 import S3Store
from imagemill.storage_probe import require_conditional_puts

STORE_THREADS = 16


@asynccontextmanager
async def connected() -> AsyncIterator[Context]:
    """The application's real parts, from the settings, tried before a request is taken.

    Raises:
        Misconfigured: a setting is missing or wrong, or names something that can't be used.
    """
    engine = settings.read(settings.EngineSettings)
    control = settings.read(settings.ControlSettings)
    delivery = settings.read(settings.DeliverySettings)
    work = settings.read(settings.WorkSettings)
    times = settings.read(settings.TimeSettings)
    service = settings.read(settings.ServiceSettings)
    caps = settings.read(settings.CapSettings)
    defaults, catalogue = caps.defaults, settings.read(settings.PriceSettings).load()
    with ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store") as threads:
        store = S3Store.connect(control, threads)
        await require_conditional_puts(store, "control")
        yield Context(
            control=store,
            delivery=S3Store.connect(delivery, threads),
            engine=TemporalEngine(await connect(engine)),
            catalogue=catalogue,
            pools=settings.read(settings.PoolSettings).load(keys=False),
            rules=settings.read(settings.InputSettings).rules,
            caps=defaults,
            allow_uncapped=caps.allow_uncapped,
            admin_sha256=hash_key(service.admin_key.get_secret_value()) if service.admin_key else None,
            work=work,
            times=times,
            prefix=delivery.prefix,
            tenant=service.tenant,
            key_sha256=hash_key(service.api_key.get_secret_value()),
        )


def make_app(context: Context | None = None) -> FastAPI:
    """The application: routes, errors and limits. Without parts it can only describe itself."""
    app = FastAPI(
        title="Imagemill",
        version="1",
        summary="Image generation in bulk: durable jobs, capped budgets, results in your own bucket.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    problems.install(app)
    app.add_middleware(BodyLimit)
    for router in (files.router, jobs.router, validations.router, usage.router, health.router):
        app.include_router(router)
    return app

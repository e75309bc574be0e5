"""The HTTP application, wired from the settings."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI

import dashboard
from api import (
    described,
    events,
    files,
    health,
    jobs,
    listing,
    lookup,
    offers,
    polling,
    problems,
    retry,
    schedules,
    sharing,
    spending,
    system,
    uploads,
    usage,
    validations,
    webhooks,
)
from api.accounts import follow_file
from api.context import Context
from api.headers import SecurityHeaders
from api.key_first import KeyFirst
from api.keys import Keyring, hash_key
from api.limits import UPLOADS_AT_ONCE, BodyLimit
from api.rate import RateFields
from api.receiving import Slots
from api.removal import Removal
from imagemill import settings
from imagemill.domain.errors import Misconfigured
from imagemill.engine import TemporalEngine, connect
from imagemill.schedules_engine import TemporalSchedules
from imagemill.storage.s3 import S3Store
from imagemill.storage_probe import require_conditional_puts
from imagemill.tenants import Tenants

ROUTERS = (
    files.router,
    uploads.router,
    listing.router,
    polling.router,
    events.router,
    lookup.router,
    jobs.router,
    retry.router,
    schedules.router,
    sharing.router,
    validations.router,
    webhooks.router,
    usage.router,
    spending.router,
    system.router,
    offers.router,
    health.router,
)
STORE_THREADS = UPLOADS_AT_ONCE + 16  # however many files come in, status finds a thread


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
    tenants = settings.read(settings.TenantSettings).load()
    caps = settings.read(settings.CapSettings)
    events = settings.read(settings.WebhookSettings)
    defaults, catalogue = caps.defaults, settings.read(settings.PriceSettings).load()
    with ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store") as threads:
        store = S3Store.connect(control, threads)
        await require_conditional_puts(store, "control")
        client = await connect(engine)
        context = Context(
            control=store,
            delivery=S3Store.connect(delivery, threads),
            engine=TemporalEngine(client),
            schedules=TemporalSchedules(client),
            catalogue=catalogue,
            pools=settings.read(settings.PoolSettings).load(keys=False),
            rules=settings.read(settings.InputSettings).rules,
            webhooks=events,
            targets=events.rules(tenants),
            caps=defaults,
            allow_uncapped=caps.allow_uncapped,
            admin_sha256=hash_key(service.admin_key.get_secret_value()) if service.admin_key else None,
            work=work,
            times=times,
            prefix=delivery.prefix,
            tenants=tenants,
            keys=keyring(service, tenants),
        )
        following = [asyncio.create_task(each) for each in (follow_file(context), Removal(context).run())]
        try:
            yield context
        finally:
            for each in following:
                each.cancel()


def keyring(service: settings.ServiceSettings, tenants: Tenants) -> Keyring:
    """The keys that open the service.

    Raises:
        Misconfigured: there is none.
    """
    if service.api_key is None and tenants.path is None:
        raise Misconfigured(
            "IMAGEMILL_API_KEY: is missing; give a key, or a file of tenants in IMAGEMILL_TENANTS_FILE"
        )
    key = service.api_key.get_secret_value() if service.api_key else None
    return Keyring(tenants, key, service.tenant)


def make_app(context: Context | None = None) -> FastAPI:
    """The application: routes, errors and limits. Without parts it can only describe itself."""
    app = FastAPI(
        title="Imagemill",
        version="1",
        summary="Image generation in bulk: durable jobs, capped budgets, results in your own bucket.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=described.operation_id,
        redirect_slashes=False,
    )
    app.state.context = context
    app.state.slots = Slots()
    problems.install(app)
    app.add_middleware(KeyFirst)
    app.add_middleware(BodyLimit)
    app.add_middleware(RateFields)
    app.add_middleware(SecurityHeaders)
    for router in ROUTERS:
        app.include_router(router)
    dashboard.install(app)
    polling.serve_first(app)
    described.describe(app)
    return app

"""Puts the dashboard on the application."""

from fastapi import FastAPI

from dashboard import (
    actions,
    assets,
    failures,
    images,
    items,
    job,
    jobs,
    login,
    schedules,
    spend,
    submit,
    system,
    webhooks,
)
from dashboard.samples import Samples
from dashboard.session import Sealing

ROUTERS = (
    assets.router,
    login.router,
    jobs.router,
    images.router,
    items.router,
    actions.router,
    job.router,
    submit.router,
    schedules.router,
    spend.router,
    webhooks.router,
    system.router,
)


def install(app: FastAPI) -> None:
    """Its routes, beside those of the API; its errors as pages."""
    begin(app)
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    failures.install(app)


def begin(app: FastAPI) -> None:
    """What it keeps in memory: nothing yet."""
    app.state.sealing = Sealing()
    app.state.failures = login.Failures()
    app.state.samples = Samples()

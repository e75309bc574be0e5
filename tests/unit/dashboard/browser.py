"""A browser without a screen: it keeps cookies, and says where its forms come from."""

import re
from typing import Any

import httpx2
from starlette.types import ASGIApp

HOST = "http://mill.example"
CSRF = re.compile(r'data-csrf="([^"]*)"')


class Browser:
    """One person's requests to the dashboard."""

    def __init__(self, app: ASGIApp) -> None:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        self.http = httpx2.AsyncClient(transport=transport, base_url=HOST, headers=headers)

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        """A page."""
        return await self.http.get(path, **more)

    async def log_in(self, key: str, to: str = "/jobs") -> httpx2.Response:
        """Enter a key."""
        return await self.send("/login", {"key": key, "next": to}, csrf="")

    async def send(
        self, path: str, form: dict[str, str] | None = None, *, csrf: str | None = None, **headers: str
    ) -> httpx2.Response:
        """Send a form, as a page of this dashboard would."""
        said = dict(form or {}) | {"csrf": await self.word() if csrf is None else csrf}
        return await self.http.post(path, data=said, headers={"origin": HOST} | headers)

    async def word(self) -> str:
        """What the forms of this session carry."""
        found = CSRF.search((await self.http.get("/nowhere")).text)
        return found.group(1) if found else ""

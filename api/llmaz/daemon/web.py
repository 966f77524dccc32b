"""The small HTTP server of every program: is it alive, is it ready, and its metrics."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_BACKLOG = 2048  # connections that the kernel holds for us: clients come in crowds
WhyNotReady = Callable[[], str | None]


def health_routes(why_not_ready: WhyNotReady, registry: CollectorRegistry) -> list[web.RouteDef]:
    """Return /healthz, /readyz and /metrics.

    `why_not_ready` says in words what the program waits for, or None when it waits for nothing.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = why_not_ready()
        if reason is None:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"{reason}\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
    ]


@asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    idle_seconds: float = 3630.0,
) -> AsyncIterator[int]:
    """Serve `app` inside the `with` block; port 0 takes a free one. Yields the port in use.

    A connection ends that has had no whole head of a request for `idle_seconds`.
    """
    # A handler ends with its client: what a request holds (an engine, a watch) is freed at once.
    runner = web.AppRunner(
        app,
        handle_signals=False,
        shutdown_timeout=1.0,
        handler_cancellation=True,
        keepalive_timeout=idle_seconds,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls, backlog=_BACKLOG).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()

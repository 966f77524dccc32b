import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge

from llmaz.daemon.web import health_routes, listening


async def ask(port: int, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_health_readiness_and_metrics_are_served() -> None:
    registry = CollectorRegistry()
    Gauge("answers", "Answers", registry=registry).set(42)
    reasons: list[str | None] = ["waits for the first list of nodes"]
    app = web.Application()
    app.add_routes(health_routes(lambda: reasons[-1], registry))
    async with listening(app, "127.0.0.1", 0) as port:
        assert await ask(port, "/healthz") == (200, "ok\n")
        assert await ask(port, "/readyz") == (503, "waits for the first list of nodes\n")
        reasons.append(None)
        assert await ask(port, "/readyz") == (200, "ok\n")
        assert "answers 42.0" in (await ask(port, "/metrics"))[1]

"""Wire the gateway: settings, the cluster's objects, the HTTP server."""

import asyncio
import gc
import logging
import os
import sys

from aiohttp import web
from prometheus_client import CollectorRegistry

from llmaz.daemon import logs, shutdown
from llmaz.daemon.web import health_routes, listening
from llmaz.gateway.app import Gateway
from llmaz.gateway.engines import Engines
from llmaz.gateway.keys import Keys
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.settings import GatewaySettings, from_argv
from llmaz.gateway.wake import ScaleWaker
from llmaz.gateway.watch import follow
from llmaz.kube import Kube, KubeError

logger = logging.getLogger("llmaz.gateway")


def main() -> int:
    """Run until SIGTERM, SIGINT or the end of the lifeline."""
    settings = from_argv(sys.argv[1:], os.environ)
    logs.configure(settings.log_format)
    try:
        asyncio.run(_run(settings))
    except (KubeError, OSError) as error:
        logger.error("the gateway can't start: %s", error)
        return 1
    return 0


async def _run(settings: GatewaySettings) -> None:
    stop = shutdown.requested(lifeline=settings.lifeline)
    registry = CollectorRegistry()
    async with await Kube.connect(settings.kubeconfig) as kube, Engines() as engines:
        metrics = Metrics(registry)
        gateway = Gateway(
            *(engines, metrics, ScaleWaker(kube, metrics), settings.hold),
            keepalive_seconds=settings.keepalive_seconds,
            keys=Keys(settings.api_keys),
            upload_seconds=settings.upload_seconds,
        )
        app = web.Application(client_max_size=settings.max_body_bytes)
        gateway.add_routes(app)
        app.add_routes(health_routes(lambda: gateway.why_not_ready, registry))
        async with listening(
            *(app, settings.host, settings.port), idle_seconds=settings.idle_seconds
        ) as port:
            # What is there now stays: to look it through for garbage would hold every stream up.
            gc.freeze()
            logger.info("listening at http://%s:%s", settings.host, port)
            async with asyncio.TaskGroup() as tasks:
                following = tasks.create_task(follow(kube, gateway), name="follow")
                await stop.wait()
                following.cancel()


if __name__ == "__main__":
    sys.exit(main())

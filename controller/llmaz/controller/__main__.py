"""llmaz-controller: settings, connections and loops put together, and taken down in order."""

import asyncio
import logging
import os
import socket
import sys

from aiohttp import web

from llmaz.controller.leader import Leadership
from llmaz.controller.loop import Loop
from llmaz.controller.metrics import Metrics
from llmaz.controller.observe import Observer
from llmaz.controller.perform import Performer
from llmaz.controller.scaling.autoscaler import Autoscaler
from llmaz.controller.settings import Settings, from_argv
from llmaz.daemon import logs, shutdown
from llmaz.daemon.web import health_routes, listening
from llmaz.kube import Kube, KubeError

logger = logging.getLogger(__name__)


def main() -> None:
    settings = from_argv(sys.argv[1:], os.environ, socket.gethostname())
    logs.configure(settings.log_format)
    if settings.slots_unknown:
        logger.warning(
            "--slots is of a newer version, ignored: %s", ", ".join(settings.slots_unknown)
        )
    try:
        asyncio.run(run(settings))
    except (KubeError, OSError) as error:
        sys.exit(f"llmaz-controller: {error}")


async def run(settings: Settings) -> None:
    """Run until asked to end."""
    stop = shutdown.requested(lifeline=settings.lifeline)
    async with await Kube.connect(settings.kubeconfig) as kube:
        changed = asyncio.Event()
        metrics = Metrics()
        observer = Observer(
            kube,
            changed,
            gateway_url=settings.gateway_url,
            slot_policy=settings.slots,
            node_features=settings.node_features,
            progress_ends=settings.progress_ends,
        )
        leadership = Leadership(kube, settings.identity, changed, observer.list_anew)
        loop = Loop(observer, Performer(kube, observer), leadership, metrics)
        recording = settings.scaling_record.open("a") if settings.scaling_record else None
        autoscaler = Autoscaler(kube, observer, leadership, metrics, recording)
        app = web.Application()
        app.add_routes(health_routes(observer.missing, metrics.registry))
        async with listening(app, settings.listen_host, settings.listen_port) as port:
            logger.info("started, metrics at http://%s:%d/metrics", settings.listen_host, port)
            tasks = [
                *observer.tasks(),
                *map(
                    asyncio.create_task,
                    (loop.run(), loop.watch_leases(), leadership.run(), autoscaler.run()),
                ),
            ]
            await _until_stopped(stop, tasks)
            await leadership.give_up()
    logger.info("stopped")


async def _until_stopped(stop: asyncio.Event, tasks: "list[asyncio.Task[None]]") -> None:
    """Wait for the end that was asked for, or raise what ended a task that never ends."""
    asked = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (asked, *tasks):
            task.cancel()
        await asyncio.gather(asked, *tasks, return_exceptions=True)


if __name__ == "__main__":
    main()

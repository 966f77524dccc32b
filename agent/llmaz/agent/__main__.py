"""Start the agent: read the settings, take the state directory, serve health and metrics, run."""

import asyncio
import logging
import os
import socket
import sys

import psutil
from aiohttp import web
from prometheus_client import CollectorRegistry

from llmaz.agent.agent import Agent, facts_of
from llmaz.agent.engines import stop_all
from llmaz.agent.engines.delegation import delegate
from llmaz.agent.lock import LockedError, held, holding_cache
from llmaz.agent.metrics import AgentCollector
from llmaz.agent.settings import Host, RunAgent, StopEngines, from_argv
from llmaz.daemon import logs, shutdown
from llmaz.daemon.web import health_routes, listening
from llmaz.kube import Kube, KubeError
from llmaz.shim import cgroup

logger = logging.getLogger(__name__)


def main() -> int:
    """Run until SIGTERM, SIGINT or the end of the lifeline. Engines live on unless it was told."""
    settings = from_argv(sys.argv[1:], os.environ, _host())
    logs.configure(settings.log_format)
    try:
        with held(settings.state_dir):
            match settings:
                case RunAgent():
                    delegate(cgroup.own())  # before anything is started
                    with holding_cache(settings.cache_dir):
                        asyncio.run(_run(settings))
                    if settings.stop_engines_within is not None:
                        within = settings.stop_engines_within
                        asyncio.run(stop_all(settings.state_dir, within, os.environ))
                case StopEngines(state_dir=state_dir, grace_seconds=grace):
                    ended = asyncio.run(stop_all(state_dir, grace, os.environ))
                    sys.stdout.writelines(f"{engine}\n" for engine in ended.stopped)
                    return 1 if ended.left else 0
    except (LockedError, KubeError, OSError) as error:
        logger.error("llmaz-agent: %s", error)
        return 1
    return 0


async def _run(settings: RunAgent) -> None:
    stop = shutdown.requested(lifeline=settings.lifeline)
    async with await Kube.connect(settings.kubeconfig) as kube:
        app = web.Application()
        face = _Face()
        app.add_routes(health_routes(face.why_not_ready, face.registry))
        async with listening(app, settings.listen_host, settings.listen_port) as port:
            facts = facts_of(settings, port)
            agent = Agent(settings, facts, kube, os.environ)
            face.show(agent, AgentCollector(facts, agent.last_look, agent.numbers))
            face.registry.register(agent.sharing)
            face.registry.register(agent.upkeep)
            face.registry.register(agent.fetches)
            face.registry.register(agent.warmer)
            if agent.jit is not None:
                face.registry.register(agent.jit)
            logger.info("agent of node %s at %s", facts.name, facts.agent_url)
            await agent.run_until(stop)


class _Face:
    """What the HTTP server shows: the agent's, as soon as there is one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._agent: Agent | None = None

    def show(self, agent: Agent, collector: AgentCollector) -> None:
        self._agent = agent
        self.registry.register(collector)

    def why_not_ready(self) -> str | None:
        return "the agent is starting" if self._agent is None else self._agent.why_not_ready()


def _host() -> Host:
    return Host(name=socket.gethostname(), address=_address())


def _address() -> str:
    """Return the first IPv4 address that is not loopback, and loopback where there is none."""
    addresses = (
        address.address
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    )
    return next(addresses, "127.0.0.1")


if __name__ == "__main__":
    sys.exit(main())

"""The sharing process: `python -m llmaz.agent.sharing`, a child of the agent.

A process of its own, so that a slow disk never holds up the agent's loop. It only reads the cache.
"""

import asyncio
import logging
import os
import sys
from contextlib import suppress

from prometheus_client import CollectorRegistry

from llmaz.agent.children import die_with_parent
from llmaz.agent.sharing.app import application
from llmaz.agent.sharing.context import Context
from llmaz.agent.sharing.said import Listening, Measured, Said, write_said
from llmaz.agent.sharing.settings import SharingSettings, from_argv
from llmaz.agent.sharing.tls import RenewedContext
from llmaz.daemon import logs, shutdown
from llmaz.daemon.web import listening

logger = logging.getLogger(__name__)

TELL_SECONDS = 2.0


def main() -> int:
    """Serve until the agent ends, or ends this."""
    die_with_parent()
    settings = from_argv(sys.argv[1:])
    logs.configure(settings.log_format)
    try:
        asyncio.run(_run(settings))
    except BrokenPipeError:  # the agent was killed before this process could be told to follow it
        os._exit(1)
    except OSError as error:
        logger.error("nothing can be shared: %s", error.strerror or error)
        return 1
    return 0


async def _run(settings: SharingSettings) -> None:
    stop = shutdown.requested(lifeline=True)
    registry = CollectorRegistry()
    app = application(Context(settings, os.environ, registry))
    tls = RenewedContext(settings.tls) if settings.tls is not None else None
    async with listening(app, settings.listen_host, settings.listen_port, tls=tls) as port:
        _tell(Listening(port=port))
        last = ""
        while not stop.is_set():
            measured = Measured(families=tuple(registry.collect()))
            if (line := write_said(measured)) != last:
                _tell(measured)
                last = line
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL_SECONDS):
                    await stop.wait()


def _tell(said: Said) -> None:
    sys.stdout.write(write_said(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

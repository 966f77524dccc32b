"""Start the embedded API server: `python -m llmaz.local.apiserver --data-dir DIR`."""

import asyncio
import logging
import sys

from llmaz.daemon import logs, shutdown
from llmaz.local.apiserver.database import StorageError
from llmaz.local.apiserver.server import ListenError, serving
from llmaz.local.apiserver.settings import Settings

logger = logging.getLogger("llmaz.local.apiserver")


async def _run(settings: Settings) -> None:
    stop = shutdown.requested(lifeline=settings.lifeline)
    async with serving(settings) as url:
        logger.info("ready: url=%s data_dir=%s", url, settings.data_dir)
        await stop.wait()


def main() -> int:
    """Run until a signal or the end of the lifeline; 1 means that it could not start."""
    settings = Settings.from_argv(sys.argv[1:])
    logs.configure(settings.log_format)
    try:
        asyncio.run(_run(settings))
    except (StorageError, ListenError) as error:
        sys.stderr.write(f"llmaz apiserver: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`logs`: the file that an engine's output goes to, on this machine."""

import asyncio
import sys
from pathlib import Path

from llmaz.api.kinds import INFERENCE_NODE, PLAYGROUND
from llmaz.api.manifest import decode
from llmaz.api.node import InferenceNode
from llmaz.api.playground import Playground
from llmaz.cli.errors import NOT_FOUND, CliError
from llmaz.cli.progress import progress
from llmaz.kube import Kube

_LOOK_EVERY_SECONDS = 0.2


async def log_of(kube: Kube, namespace: str, name: str, replica: int) -> Path:
    """Return the log of one engine of a Playground; raise CliError where there is none here."""
    playground = decode(Playground, await kube.get(PLAYGROUND, name, namespace))
    nodes = [decode(InferenceNode, item) for item in (await kube.list(INFERENCE_NODE)).items]
    engine_id = f"{namespace}/{name}-{replica}"
    for node in nodes:
        for engine in node.status.engines or ():
            if engine.id == engine_id and engine.log:
                path = Path(engine.log)
                if path.exists():
                    return path
                raise CliError(f"the log of {engine_id} is on node {node.metadata.name}: {path}")
    raise CliError(
        f"{engine_id} has no log yet: {progress(playground, nodes).sentence}", code=NOT_FOUND
    )


async def print_log(path: Path, *, follow: bool) -> None:
    """Print the file; with `follow`, go on as it grows, also into the file that replaces it."""
    file = path.open(errors="replace")
    try:
        while True:
            if text := file.read():
                sys.stdout.write(text)
                sys.stdout.flush()
            elif not follow:
                return
            elif path.exists() and not path.samefile(f"/proc/self/fd/{file.fileno()}"):
                file.close()
                file = path.open(errors="replace")
            else:
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
    finally:
        file.close()

"""`logs`: the file that an engine's output goes to, on this machine."""

import sys
import time
from pathlib import Path

from llmaz.api.kinds import INFERENCE_NODE, PLAYGROUND
from llmaz.api.manifest import decode
from llmaz.api.node import InferenceNode
from llmaz.api.playground import Playground
from llmaz.cli.errors import NOT_FOUND, CliError
from llmaz.cli.progress import progress
from llmaz.kube import Kube

_LOOK_EVERY_SECONDS = 0.2


async def log_of(kube: Kube, namespace: str, name: str, replica: int) -> tuple[str, Path]:
    """Return node and path of the log of one engine of a Playground."""
    playground = decode(Playground, await kube.get(PLAYGROUND, name, namespace))
    nodes = [decode(InferenceNode, item) for item in (await kube.list(INFERENCE_NODE)).items]
    engine_id = f"{namespace}/{name}-{replica}"
    for node in nodes:
        for engine in node.status.engines or ():
            if engine.id == engine_id and engine.log:
                return node.metadata.name, Path(engine.log)
    if replica >= playground.spec.replicas:
        raise CliError(
            f"there is no replica {replica} of {namespace}/{name}: "
            f"it has {playground.spec.replicas}, counted from 0",
            code=NOT_FOUND,
        )
    raise CliError(
        f"{engine_id} has no log yet: {progress(playground, nodes).sentence}", code=NOT_FOUND
    )


def print_log(node: str, path: Path, *, follow: bool) -> None:
    """Print the file; with `follow`, go on as it grows, also into the file that replaces it."""
    try:
        file = path.open(errors="replace")
    except FileNotFoundError:
        raise CliError(f"the log is on node {node}: {path}") from None
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
                time.sleep(_LOOK_EVERY_SECONDS)
    finally:
        file.close()

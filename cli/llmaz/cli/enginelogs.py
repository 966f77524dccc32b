"""`logs`: the file that an engine's output goes to, on this machine."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import typer

from llmaz.api.kinds import INFERENCE_NODE, PLAYGROUND
from llmaz.api.manifest import decode
from llmaz.api.node import InferenceNode
from llmaz.api.playground import Playground
from llmaz.cli.errors import NOT_FOUND, CliError
from llmaz.cli.progress import progress
from llmaz.kube import Kube

_LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLog:
    """Where an engine's output is, and what its agent says of the engine."""

    node: str
    path: Path
    told: str = ""


async def log_of(kube: Kube, namespace: str, name: str, replica: int) -> EngineLog:
    """Return where the log of one engine of a Playground is."""
    playground = decode(Playground, await kube.get(PLAYGROUND, name, namespace))
    nodes = [decode(InferenceNode, item) for item in (await kube.list(INFERENCE_NODE)).items]
    engine_id = f"{namespace}/{name}-{replica}"
    for node in nodes:
        for engine in node.status.engines or ():
            if engine.id == engine_id and engine.log:
                words = (part for part in (engine.reason, engine.message) if part)
                told = f"{engine_id} is {engine.phase}: {': '.join(words)}".removesuffix(": ")
                return EngineLog(node=node.metadata.name, path=Path(engine.log), told=told)
    if replica >= playground.spec.replicas:
        raise CliError(
            f"there is no replica {replica} of {namespace}/{name}: "
            f"it has {playground.spec.replicas}, counted from 0",
            code=NOT_FOUND,
        )
    raise CliError(
        f"{engine_id} has no log yet: {progress(playground, nodes).sentence}", code=NOT_FOUND
    )


def print_log(log: EngineLog, *, follow: bool) -> None:
    """Print the file; with `follow`, go on as it grows, also into the file that replaces it.

    Of an engine that wrote nothing, as one that never came to be, the agent's word is said.
    """
    path = log.path
    try:
        file = path.open(errors="replace")
    except FileNotFoundError:
        raise CliError(_why_missing(log)) from None
    try:
        if path.stat().st_size == 0:
            typer.echo(f"its log is empty; {log.told}", err=True)
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


def _why_missing(log: EngineLog) -> str:
    if log.path.parent.exists():
        return f"it has not written anything; {log.told}"
    return f"the log is on node {log.node}: {log.path}"

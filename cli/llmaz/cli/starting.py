"""`run`: make the objects, then wait with the user for weights and engine."""

import typer

from llmaz.api.kinds import INFERENCE_NODE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest, decode
from llmaz.api.node import InferenceNode
from llmaz.api.playground import Playground
from llmaz.cli import naming
from llmaz.cli.changing import MANAGER
from llmaz.cli.errors import CliError
from llmaz.cli.kinds import label
from llmaz.cli.progress import follow
from llmaz.cli.waiting import shown
from llmaz.kube import Kube, NotFound


async def create(
    kube: Kube, model: naming.Wanted, *, backend: str | None, replicas: int, namespace: str
) -> None:
    """Apply the OpenModel and the Playground."""
    device = await _device(kube)
    chosen = backend or naming.backend_for(model, device=device)
    await _refuse_another_source(kube, model)
    await _refuse_another_model(kube, model.name, namespace)
    await kube.apply(OPEN_MODEL, naming.open_model(model, device=device), manager=MANAGER)
    playground = naming.playground(
        model.name, model.name, backend=chosen, replicas=replicas, namespace=namespace
    )
    await kube.apply(PLAYGROUND, playground, manager=MANAGER)
    typer.echo(f"{label(OPEN_MODEL, model.name)} and {label(PLAYGROUND, model.name)} applied")


async def wait(kube: Kube, namespace: str, name: str) -> None:
    """Show how weights and engine come; raise CliError when they do not."""
    with shown(name) as see:
        last = await follow(kube, namespace, name, see)
    if not last.available:
        raise CliError(
            last.sentence,
            hint=f"it goes on trying; see `llmaz describe pl {name}` and `llmaz logs {name}`",
        )


def print_how_to_ask(gateway: str | None, model: str) -> None:
    if gateway is None:
        typer.echo(f"{model} is ready; ask your gateway for it")
        return
    typer.echo(f"{model} is ready at {gateway}")
    typer.echo(f"  llmaz chat {model}")
    typer.echo(
        f"  curl {gateway}/chat/completions -H 'Content-Type: application/json' -d "
        f"""'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""
    )


async def _device(kube: Kube) -> str | None:
    """Return the resource name of the accelerators there are; None on machines without."""
    nodes = [decode(InferenceNode, item) for item in (await kube.list(INFERENCE_NODE)).items]
    resources = {one.resource for node in nodes for one in node.status.accelerators or ()}
    return min(resources, default=None)


async def _refuse_another_source(kube: Kube, model: naming.Wanted) -> None:
    try:
        existing = await kube.get(OPEN_MODEL, model.name)
    except NotFound:
        return
    if not _same_source(existing, model.source):
        raise CliError(
            f"OpenModel {model.name} exists and has another source",
            hint="choose another name with --name",
        )


async def _refuse_another_model(kube: Kube, name: str, namespace: str) -> None:
    """Keep a Playground that happens to have the name from being turned over to this model."""
    try:
        existing = decode(Playground, await kube.get(PLAYGROUND, name, namespace))
    except NotFound:
        return
    if existing.spec.claims.main != name:
        raise CliError(
            f"Playground {name} exists and serves another model",
            hint="choose another name with --name",
        )


def _same_source(existing: Manifest, source: Manifest) -> bool:
    spec = existing.get("spec")
    there = spec.get("source") if isinstance(spec, dict) else None
    if not isinstance(there, dict):
        return False
    hub, wanted_hub = there.get("modelHub"), source.get("modelHub")
    if isinstance(hub, dict) and isinstance(wanted_hub, dict):
        return all(hub.get(key) == value for key, value in wanted_hub.items())
    return hub is None and wanted_hub is None and there.get("uri") == source.get("uri")

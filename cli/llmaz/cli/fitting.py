"""`fit`: which nodes could run a model, before anything is deployed."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from llmaz.cli.errors import FAILED, NOT_FOUND, CliError
from llmaz.cli.options import Kubeconfig, connect
from llmaz.cli.output import Format, print_object, print_table
from llmaz.cli.runner import execute

if TYPE_CHECKING:
    from llmaz.api.manifest import Json
    from llmaz.api.openmodel import OpenModel
    from llmaz.controller.fitting import Fit
    from llmaz.controller.memory import Estimate
    from llmaz.controller.snapshot import ClusterSnapshot
    from llmaz.kube import Kube

_COUNTS = (1, 2, 4, 8)  # of accelerators, that are tried for a model that no OpenModel describes
_WORDS = {"fits": "yes", "busy": "busy", "no": "no"}
_MAYBE = "maybe"  # there are the accelerators, and nobody knows whether their memory is enough


def fit(
    model: Annotated[str, typer.Argument(help="OpenModel, or what `llmaz run` takes.")],
    flavor: Annotated[str | None, typer.Option(help="This flavor alone.")] = None,
    context: Annotated[int | None, typer.Option(min=1, help="Tokens of a context.")] = None,
    sequences: Annotated[int, typer.Option(min=1, help="Contexts at once.")] = 1,
    backend: Annotated[
        str | None,
        typer.Option(help="BackendRuntime; by default that of the model's Playgrounds, or vllm."),
    ] = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="table, json, yaml.")] = (
        Format.TABLE
    ),
    kubeconfig: Kubeconfig = None,
) -> None:
    """Tell which nodes could run a model, and what the others are short of; deploys nothing."""

    async def work() -> None:
        from llmaz.api.memory import ReplicaMemory
        from llmaz.api.placement import Placement

        async with await connect(kubeconfig) as kube:
            snapshot = await _look(kube)
        found, engine = _described(model, snapshot, backend)
        told = ReplicaMemory(context_tokens=context, sequences=sequences)
        fits, untold = await _asked(found, engine, Placement(memory=told), snapshot)
        shown = [one for one in fits if flavor in (None, one.flavor)]
        if not shown:
            what = f"flavor {flavor}" if fits else "node"
            raise CliError(f"there is no {what} to run {model} on", code=NOT_FOUND)
        _print(shown, untold, output)
        if not any(one.verdict == "fits" for one in shown):
            raise CliError(f"no node can run {model} now", hint=_hint(shown), code=FAILED)

    if output in (Format.WIDE, Format.NAME):
        raise typer.BadParameter("-o is table, json or yaml here")
    execute(work())


async def _look(kube: "Kube") -> "ClusterSnapshot":
    """Read once what the controller watches."""
    from datetime import UTC, datetime

    from llmaz.api import names
    from llmaz.api.backendruntime import BackendRuntime
    from llmaz.api.kinds import BACKEND_RUNTIME, INFERENCE_NODE, LEASE, NODE, OPEN_MODEL, PLAYGROUND
    from llmaz.api.manifest import decode
    from llmaz.api.node import InferenceNode
    from llmaz.api.openmodel import OpenModel
    from llmaz.api.playground import Playground
    from llmaz.controller.readings import fresh_until, kube_node
    from llmaz.controller.seats import seats_of
    from llmaz.controller.snapshot import ClusterSnapshot

    models = [decode(OpenModel, one) for one in (await kube.list(OPEN_MODEL)).items]
    runtimes = [decode(BackendRuntime, one) for one in (await kube.list(BACKEND_RUNTIME)).items]
    playgrounds = [decode(Playground, one) for one in (await kube.list(PLAYGROUND)).items]
    nodes = [decode(InferenceNode, one) for one in (await kube.list(INFERENCE_NODE)).items]
    core = [kube_node(one) for one in (await kube.list(NODE)).items]
    leases = (await kube.list(LEASE, names.SYSTEM_NAMESPACE)).items
    untils = {str(one["metadata"]["name"]): fresh_until(one) for one in leases}  # type: ignore[index,call-overload]  # a Lease has a name
    return ClusterSnapshot(
        models={one.metadata.name: one for one in models},
        runtimes={one.metadata.name: one for one in runtimes},
        playgrounds={(one.metadata.namespace or "", one.metadata.name): one for one in playgrounds},
        nodes={one.metadata.name: one for one in nodes},
        seats={one.metadata.name: seats_of(one) for one in nodes},
        kube_nodes={one.name: one for one in core},
        leases={name: until for name, until in untils.items() if until is not None},
        leases_heard_since=datetime.now(UTC),
    )


def _described(
    text: str, snapshot: "ClusterSnapshot", backend: str | None
) -> "tuple[OpenModel, str]":
    """Return the OpenModel of that name, or one made up; and the engine that shall serve it."""
    from pathlib import Path

    from llmaz.api.manifest import decode
    from llmaz.api.openmodel import OpenModel
    from llmaz.api.playground import DEFAULT_BACKEND
    from llmaz.cli import naming

    known = snapshot.models.get(text)
    if known is not None:
        return known, backend or _serving(text, snapshot) or DEFAULT_BACKEND
    if "/" not in text and not text.endswith(".gguf"):
        raise CliError(f"there is no OpenModel {text}", hint="`llmaz models`", code=NOT_FOUND)
    wanted = naming.wanted(text, directory=Path.cwd())
    resources = sorted(
        {
            device.resource
            for node in snapshot.nodes.values()
            for device in node.status.accelerators or ()
        }
    )
    manifest = naming.open_model(wanted, device=None)
    flavors: list[Json] = [
        {"name": f"{count}x {resource}", "limits": {resource: count}}
        for resource in resources
        for count in _COUNTS
    ]
    spec = {**_object(manifest["spec"]), "inferenceConfig": {"flavors": flavors[:8]}}
    device = resources[0] if resources else None
    return (
        decode(OpenModel, {**manifest, "spec": spec}),
        backend or naming.backend_for(wanted, device=device),
    )


def _serving(model: str, snapshot: "ClusterSnapshot") -> str | None:
    """Return the BackendRuntime that the Playgrounds of a model name, if it is one for all."""
    specs = (playground.spec for playground in snapshot.playgrounds.values())
    named = {
        spec.backend_runtime_config.backend_name for spec in specs if spec.claims.main == model
    }
    return named.pop() if len(named) == 1 else None


async def _asked(
    model: "OpenModel", engine: str, placement: object, snapshot: "ClusterSnapshot"
) -> "tuple[tuple[Fit, ...], str]":
    """Return what each node says, and why the memory is not known where it is not."""
    import dataclasses
    from datetime import UTC, datetime

    from llmaz.api.placement import Placement
    from llmaz.api.playground import BackendRuntimeConfig
    from llmaz.cli.hubfacts import UntoldError, memory_at_hub
    from llmaz.controller.actions import Refusal
    from llmaz.controller.fitting import fits
    from llmaz.controller.memory import is_current

    assert isinstance(placement, Placement)
    untold = ""
    if model.status.memory is None or not is_current(model):
        try:
            memory = await memory_at_hub(model.spec.source, os.environ)
        except UntoldError as error:
            memory, untold = None, str(error)
        generation = model.metadata.generation
        status = dataclasses.replace(model.status, memory=memory, observed_generation=generation)
        model = dataclasses.replace(model, status=status)
    models = {**snapshot.models, model.metadata.name: model}
    seen = dataclasses.replace(snapshot, models=models)
    config = BackendRuntimeConfig(backend_name=engine)
    found = fits(model, config, placement, seen, datetime.now(UTC))
    if isinstance(found, Refusal):
        raise CliError(found.message)
    return found, untold


def _print(fits: "list[Fit]", untold: str, output: Format) -> None:
    if output in (Format.JSON, Format.YAML):
        print_object([_row(one) for one in fits], output)
        return
    print_table(
        ["Flavor", "Node", "Fits", "Needs", "Short"],
        [[one.flavor, one.node, _verdict(one), _needs(one), one.short] for one in fits],
    )
    memory = {one.flavor: one.memory for one in fits}
    typer.echo()
    for name, estimate in memory.items():
        typer.echo(f"{name}: {_made_up(estimate, untold)}")


def _verdict(one: "Fit") -> str:
    is_known = one.memory is not None or not one.accelerators
    return _WORDS[one.verdict] if is_known or one.verdict != "fits" else _MAYBE


def _made_up(estimate: "Estimate | None", untold: str) -> str:
    """Say what the memory is needed for, in the words of a refusal."""
    from llmaz.controller.memory import gib

    if estimate is None:
        return f"its memory is not known{untold and f': {untold}'}"
    return f"{gib(estimate.each)} GiB of each accelerator are {estimate}"


def _needs(one: "Fit") -> str:
    from llmaz.controller.memory import gib

    if one.memory is None or not one.accelerators:
        return "unknown" if one.accelerators else "no accelerator"
    on = f" on {one.nodes} nodes" if one.nodes > 1 else ""
    return f"{one.accelerators} x {gib(one.memory.each)} GiB{on}"


def _row(one: "Fit") -> "Json":
    memory = one.memory
    return {
        "flavor": one.flavor,
        "node": one.node,
        "fits": one.verdict == "fits",
        "verdict": one.verdict,
        "short": one.short,
        "accelerators": one.accelerators,
        "nodes": one.nodes,
        "bytesPerAccelerator": None if memory is None else memory.each,
        "weightBytes": None if memory is None else memory.weights,
        "cacheBytes": None if memory is None else memory.cache,
        "engineBytes": None if memory is None else memory.engine,
        "contextTokens": None if memory is None else memory.tokens,
    }


def _hint(fits: "list[Fit]") -> str:
    busy = sorted({one.node for one in fits if one.verdict == "busy"})
    return f"there would be room on {', '.join(busy)} but for what runs there" if busy else ""


def _object(value: "Json") -> "dict[str, Json]":
    return value if isinstance(value, dict) else {}

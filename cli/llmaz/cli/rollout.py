"""`llmaz rollout`: how far an update is, what ran before, and the way back."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import typer

from llmaz.cli import kinds
from llmaz.cli.errors import NOT_FOUND, USAGE, CliError
from llmaz.cli.history import HEADERS, Recorded, before, recorded, rollout_of, rows
from llmaz.cli.options import Kubeconfig, Namespace, connect
from llmaz.cli.output import print_table
from llmaz.cli.runner import execute

if TYPE_CHECKING:
    from llmaz.api.kinds import Kind
    from llmaz.api.manifest import Manifest
    from llmaz.kube import Kube

app = typer.Typer(
    help="Updates of a Playground or a Service: how far, what before, and back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Target: TypeAlias = Annotated[
    str, typer.Argument(help="Playground, or another kind before a slash: service/NAME.")
]
_LOOK_SECONDS = 0.5


@app.command()
def status(
    target: Target,
    watch: Annotated[bool, typer.Option(help="Wait until the update is done.")] = True,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait; 0: for ever.")] = 0,
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say how far an update is, and wait until it is done."""

    async def work() -> None:
        kind, name = _named(target)
        end = time.monotonic() + timeout if timeout else float("inf")
        said = ""
        async with await connect(kubeconfig) as kube:
            while True:
                rollout = rollout_of(await kube.get(kind, name, namespace))
                if str(rollout) != said:
                    said = str(rollout)
                    typer.echo(said)
                if rollout.is_done or not watch:
                    return
                if time.monotonic() >= end:
                    raise CliError(f"not done within {timeout:g} s")
                await asyncio.sleep(_LOOK_SECONDS)

    execute(work())


@app.command()
def history(
    target: Target, namespace: Namespace = "default", kubeconfig: Kubeconfig = None
) -> None:
    """List what ran before; a star marks the revision that the replicas shall be."""

    async def work() -> None:
        kind, name = _named(target)
        async with await connect(kubeconfig) as kube:
            now = rollout_of(await kube.get(kind, name, namespace))
            revisions = await _revisions(kube, name, namespace)
        print_table(HEADERS, rows(revisions, now.revision))

    execute(work())


@app.command()
def undo(
    target: Target,
    to_revision: Annotated[
        int | None, typer.Option(min=1, help="This one, and not the one before the current one.")
    ] = None,
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Go back to what ran before, and keep to it until `llmaz rollout resume`."""

    async def work() -> None:
        kind, name = _named(target)
        async with await connect(kubeconfig) as kube:
            now = rollout_of(await _writable(kube, kind, name, namespace))
            revisions = await _revisions(kube, name, namespace)
            wanted = _chosen(revisions, now.revision, to_revision)
            await _keep(kube, kind, name, namespace, str(wanted))
        typer.echo(f"{kinds.label(kind, name)} goes back to revision {wanted}, and keeps to it")

    execute(work())


@app.command()
def pause(target: Target, namespace: Namespace = "default", kubeconfig: Kubeconfig = None) -> None:
    """Keep to the current revision: edits wait until `llmaz rollout resume`."""

    async def work() -> None:
        kind, name = _named(target)
        async with await connect(kubeconfig) as kube:
            now = rollout_of(await _writable(kube, kind, name, namespace)).revision
            if not now:
                raise CliError(f"{kinds.label(kind, name)} has no revision yet")
            await _keep(kube, kind, name, namespace, str(now))
        typer.echo(f"{kinds.label(kind, name)} keeps to revision {now}")

    execute(work())


@app.command()
def resume(target: Target, namespace: Namespace = "default", kubeconfig: Kubeconfig = None) -> None:
    """Go on to what the objects say now."""

    async def work() -> None:
        kind, name = _named(target)
        async with await connect(kubeconfig) as kube:
            pinned = rollout_of(await _writable(kube, kind, name, namespace)).pinned
            if pinned:
                await _keep(kube, kind, name, namespace, None)
        label = kinds.label(kind, name)
        typer.echo(f"{label} goes on" if pinned else f"{label} was not kept at a revision")

    execute(work())


def _named(target: str) -> "tuple[Kind, str]":
    """Return the kind and name of what is meant."""
    from llmaz.api.kinds import PLAYGROUND, SERVICE

    word, slash, name = target.rpartition("/")
    kind = kinds.named(word) if slash else PLAYGROUND
    if kind not in (PLAYGROUND, SERVICE) or not name:
        raise CliError(
            f"{target!r} has no rollout", hint="name a Playground or service/NAME", code=USAGE
        )
    return kind, name


async def _writable(kube: "Kube", kind: "Kind", name: str, namespace: str) -> "Manifest":
    """Return the object; refuse a Service that a Playground made, which would take it back."""
    from llmaz.api import names
    from llmaz.api.kinds import SERVICE

    found = await kube.get(kind, name, namespace)
    labels = cast("Manifest", cast("Manifest", found["metadata"]).get("labels") or {})
    if kind == SERVICE and labels.get(names.PLAYGROUND_NAME):
        owner = labels[names.PLAYGROUND_NAME]
        raise CliError(
            f"Service {name} belongs to Playground {owner}", hint=f"name playground/{owner}"
        )
    return found


async def _revisions(kube: "Kube", name: str, namespace: str) -> list[Recorded]:
    from llmaz.api import names
    from llmaz.api.kinds import CONTROLLER_REVISION

    selector = f"{names.SERVICE_NAME}={name}"
    listing = await kube.list(CONTROLLER_REVISION, namespace, label_selector=selector)
    return recorded(listing.items)


def _chosen(revisions: list[Recorded], current: int, asked: int | None) -> int:
    numbers = [one.number for one in revisions]
    if asked is None:
        earlier = before(revisions, current)
        if earlier is None:
            raise CliError(f"nothing is recorded before revision {current}", code=NOT_FOUND)
        return earlier
    if asked not in numbers:
        known = ", ".join(map(str, numbers)) or "none"
        raise CliError(f"there is no revision {asked}: recorded are {known}", code=NOT_FOUND)
    return asked


async def _keep(
    kube: "Kube", kind: "Kind", name: str, namespace: str, revision: str | None
) -> None:
    from llmaz.api import names

    await kube.patch(
        kind, name, {"metadata": {"annotations": {names.REVISION: revision}}}, namespace
    )

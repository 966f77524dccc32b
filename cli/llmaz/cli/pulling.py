"""`llmaz cache pull`: bring weights to this machine before anything asks for them.

It fetches with the agent's own code into the agent's own directory, so that an agent which comes
later, or fetches the same meanwhile, finds the bytes: whoever is first fetches, the other waits.
The agent's quota holds for both, and what is assigned to the machine stays.
"""

import asyncio
import enum
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmaz.cli.errors import USAGE, CliError
from llmaz.cli.options import Kubeconfig, connect, home
from llmaz.cli.runner import execute

if TYPE_CHECKING:
    from llmaz.agent.cache.models import ModelCache
    from llmaz.agent.cache.origin import SecretKeys
    from llmaz.agent.cache.state import Failed, Held
    from llmaz.api.source import ModelSource


_CREDENTIALS = "credentials come from the environment: HF_TOKEN, AWS_ACCESS_KEY_ID, ..."
_CLOSED = ("GatedRepository", "RepositoryNotFound", "Unauthorized")


class HubName(enum.Enum):
    """A hub, as it is named on the command line."""

    HUGGINGFACE = "huggingface"
    MODELSCOPE = "modelscope"


def pull(
    what: Annotated[
        str,
        typer.Argument(
            help="An OpenModel, a repository of a hub such as Qwen/Qwen3-0.6B[@revision],"
            " or a URI such as s3://bucket/path."
        ),
    ],
    file: Annotated[str | None, typer.Option("--file", help="One file of a repository.")] = None,
    hub: Annotated[
        HubName, typer.Option("--hub", help="Which hub a repository is of.")
    ] = HubName.HUGGINGFACE,
    plain_http: Annotated[
        list[str] | None,
        typer.Option("--plain-http", metavar="HOST[:PORT]", help="May be sent a token over http."),
    ] = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Fetch weights into this machine's cache, verified; credentials come from the environment."""
    execute(_pull(what, file, hub, tuple(plain_http or ()), kubeconfig))


async def _pull(
    what: str, file: str | None, hub: HubName, plain_http: tuple[str, ...], kubeconfig: Path | None
) -> None:
    from llmaz.agent.cache.child import FetchChild
    from llmaz.agent.cache.limits import read_limits
    from llmaz.agent.cache.models import DEFAULT_ENDPOINT, ModelCache
    from llmaz.agent.cache.policy import FetchPolicy
    from llmaz.agent.cache.state import FetchModel, Held
    from llmaz.agent.mirror.assigned import noted_by_agent, trees_of
    from llmaz.api.node import AssignedModel

    source = source_named(what, file, hub) or await _of_open_model(what, kubeconfig)
    changed, here = asyncio.Event(), home()
    assigned = noted_by_agent(here.agent)
    cache = ModelCache(
        here.cache,
        fetcher=FetchChild(os.environ),
        secrets=_NoSecrets(),
        now=lambda: datetime.now(UTC),
        changed=changed,
        endpoint=os.environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT),
        limits=read_limits(here.cache),
        keep=lambda: trees_of(here.cache, assigned()),
        policy=FetchPolicy(plain_http=plain_http),
    )
    cache.perform(FetchModel(model=AssignedModel(name=what, source=source)))
    try:
        state = await _watched(cache, what, changed)
    finally:
        await cache.aclose()
    if not isinstance(state, Held):
        hint = _CREDENTIALS if state.reason in _CLOSED else ""
        raise CliError(f"{what}: {state.reason}: {state.message}", hint=hint)
    if state.pickles:
        more = f" and {len(state.pickles) - 1} more" if len(state.pickles) > 1 else ""
        words = f"{what} has files that run code when they are opened: {state.pickles[0]}{more}"
        typer.echo(f"warning: {words}", err=True)
    typer.echo(state.path)


def source_named(
    what: str, file: str | None, hub: HubName = HubName.HUGGINGFACE
) -> "ModelSource | None":
    """Return the source that a text names by itself; None where it is an OpenModel's name."""
    from llmaz.api.source import Hub, ModelHub, ModelSource

    if not what.strip():
        raise CliError("name an OpenModel, a repository or a URI", code=USAGE)
    if "://" in what:
        return ModelSource(uri=what)
    repository, _, revision = what.partition("@")
    if "/" not in repository:
        return None
    kind = Hub.MODELSCOPE if hub is HubName.MODELSCOPE else Hub.HUGGINGFACE
    found = ModelHub(name=kind, model_id=repository, revision=revision or "main", filename=file)
    return ModelSource(model_hub=found)


async def _of_open_model(name: str, kubeconfig: Path | None) -> "ModelSource":
    from llmaz.api.kinds import OPEN_MODEL
    from llmaz.api.manifest import decode
    from llmaz.api.openmodel import OpenModel

    async with await connect(kubeconfig) as kube:
        return decode(OpenModel, await kube.get(OPEN_MODEL, name)).spec.source


async def _watched(cache: "ModelCache", name: str, changed: asyncio.Event) -> "Held | Failed":
    """Show how far the fetch is until it has ended."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from llmaz.agent.cache.state import Fetching
    from llmaz.cli.output import error_console

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = error_console()
    off = not console.is_terminal  # it would write an empty line into a log
    with Progress(*columns, console=console, transient=True, disable=off) as bar:
        task = bar.add_task(name, total=None)
        while isinstance(state := cache.seen()[name].state, Fetching):
            bar.update(task, completed=state.bytes_done or 0, total=state.bytes_total)
            await changed.wait()
            changed.clear()
    return state


class _NoSecrets:
    """On a machine of one's own the environment has the credentials."""

    async def credentials(
        self,
        namespace: str | None,  # noqa: ARG002  # what a Secrets is asked
        wanted: "SecretKeys",
        *,
        own: bool = False,  # noqa: ARG002
    ) -> Mapping[str, str]:
        return {key: os.environ[key] for key in wanted.keys if key in os.environ}

"""Options that several commands share, and what they default to."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from llmaz.cli.errors import UNREACHABLE, CliError

if TYPE_CHECKING:
    from llmaz.kube import Kube
    from llmaz.local.home import Home

PLUGIN = "kubectl-llmaz"  # the name by which kubectl finds the command: `kubectl llmaz ...`

Kubeconfig: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        envvar="KUBECONFIG",
        help="Kubeconfig of the cluster; by default that of `llmaz up`.",
        show_default=False,
    ),
]
Namespace: TypeAlias = Annotated[str, typer.Option("-n", "--namespace", help="Namespace.")]
Gateway: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        envvar="LLMAZ_GATEWAY",
        help="URL of the gateway, such as http://127.0.0.1:8000/v1; by default that of `llmaz up`.",
        show_default=False,
    ),
]


def home() -> "Home":
    """Return the home of this machine's llmaz."""
    from llmaz.local.home import Home

    return Home.of(os.environ)


def made_home() -> "Home":
    """Return the home of this machine's llmaz; raise CliError where it was never started."""
    here = home()
    if not here.kubeconfig.exists():
        raise CliError(
            f"there is no llmaz on this machine yet ({here.root})",
            hint="start it with `llmaz up -d`",
            code=UNREACHABLE,
        )
    return here


async def connect(kubeconfig: Path | None) -> "Kube":
    """Connect to the named cluster, or to this machine's; as a plugin of kubectl, to kubectl's."""
    from llmaz.kube import Kube

    is_plugin = Path(sys.argv[0]).name == PLUGIN
    return await Kube.connect(kubeconfig or (_kubectls() if is_plugin else made_home().kubeconfig))


def _kubectls() -> Path:
    """Return the kubeconfig that kubectl uses where none is named."""
    found = Path.home() / ".kube" / "config"
    if not found.exists():
        raise CliError(
            f"kubectl has no cluster: {found} does not exist",
            hint="name a kubeconfig with --kubeconfig or KUBECONFIG",
            code=UNREACHABLE,
        )
    return found


def known_gateway(given: str | None) -> str | None:
    """Return the URL of the OpenAI endpoint, if anybody said which it is."""
    if given is not None:
        return given.rstrip("/")
    running = home().running()
    return None if running is None else running.gateway_url


def gateway_url(given: str | None) -> str:
    """Return the URL of the OpenAI endpoint."""
    found = known_gateway(given)
    if found is None:
        raise CliError(
            "no gateway is known: llmaz is not running on this machine",
            hint="start it with `llmaz up -d`, or name one with --gateway",
            code=UNREACHABLE,
        )
    return found

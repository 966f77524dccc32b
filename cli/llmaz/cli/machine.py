"""`up`, `down`, `status`, `kubeconfig`: llmaz on this machine."""

import errno
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmaz.cli.errors import UNREACHABLE, CliError
from llmaz.cli.options import home, made_home
from llmaz.cli.runner import execute, fail

if TYPE_CHECKING:
    from llmaz.local.home import Home, Running
    from llmaz.local.programs import Addresses

_LOOPBACK = "127.0.0.1"
_BACKGROUND_START_SECONDS = 140.0


def _port(what: str) -> Any:  # noqa: ANN401  # typer's own type for an option
    return typer.Option(min=0, max=65535, help=f"{what}; 0: a free one.")


def up(
    detach: Annotated[
        bool, typer.Option("-d", "--detach", help="Run in the background; return when ready.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address of the gateway.")] = _LOOPBACK,
    gateway_port: Annotated[int, _port("OpenAI endpoint")] = 8000,
    api_port: Annotated[int, _port("API server")] = 6445,
    agent_port: Annotated[int, _port("Agent")] = 9400,
    controller_port: Annotated[int, _port("Controller")] = 9401,
    sharing_port: Annotated[
        int | None, _port("Weights of this machine; default: 9402, or as free as the agent's")
    ] = None,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            readable=True,
            resolve_path=True,
            metavar="FILE",
            help="Keys that clients of the gateway must show, one a line.",
        ),
    ] = None,
) -> None:
    """Run llmaz on this machine: API server, controller, agent, gateway.

    Ctrl-C stops the engines, then everything. The objects and the weights stay.
    """
    from llmaz.local.programs import Address, Addresses

    if sharing_port is None:
        sharing_port = 9402 if agent_port else 0
    addresses = Addresses(
        api=Address(host=_LOOPBACK, port=api_port, flag="--api-port"),
        gateway=Address(host=host, port=gateway_port, flag="--gateway-port"),
        agent=Address(host=_LOOPBACK, port=agent_port, flag="--agent-port"),
        controller=Address(host=_LOOPBACK, port=controller_port, flag="--controller-port"),
        sharing=Address(host=_LOOPBACK, port=sharing_port, flag="--sharing-port"),
    )
    begin = _in_background if detach else _in_foreground
    execute(begin(home(), addresses, api_keys))


async def _in_foreground(here: "Home", addresses: "Addresses", api_keys: Path | None) -> None:
    from llmaz.daemon import shutdown
    from llmaz.local.engines import EnginesLeft
    from llmaz.local.home import HomeInUse
    from llmaz.local.ports import PortInUse
    from llmaz.local.up import UpError, UpSettings, node_name, up

    settings = UpSettings(
        home=here, addresses=addresses, node=node_name(), pid=os.getpid(), api_keys=api_keys
    )
    try:
        await up(settings, _say, shutdown.requested())
    except (HomeInUse, PortInUse, UpError) as error:
        raise CliError(str(error)) from None
    except EnginesLeft as error:
        raise CliError(str(error), hint="`llmaz down` tries again") from None


async def _in_background(here: "Home", addresses: "Addresses", api_keys: Path | None) -> None:
    """Start `llmaz up` in a session of its own, and wait until it is ready or has ended."""
    here.create()
    log = here.logs / "up.log"
    if (running := here.running()) is not None:
        raise CliError(f"llmaz is already running on {here.root} (pid {running.pid})")
    if (holder := here.holder()) is not None:
        raise CliError(f"llmaz is already starting on {here.root} (pid {holder})")
    with log.open("ab") as file:  # two that begin at once write after each other
        file.truncate(0)
        process = subprocess.Popen(  # noqa: ASYNC220  # asyncio would kill it when we leave
            [sys.executable, "-m", "llmaz.cli", "up", *_flags(addresses, api_keys)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    running = await _ready(here, process)
    if running is None:
        raise CliError(last_words(log.read_text(errors="replace")))
    _print_where(here, running)


def last_words(log: str) -> str:
    """Return what an `up` said of its failure; a hint, or lines of another `up`, may follow."""
    lines = log.strip().splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return next(reversed(errors or lines), "llmaz did not start")


async def _ready(here: "Home", process: "subprocess.Popen[bytes]") -> "Running | None":
    from llmaz.local.wait import until

    async def decided() -> bool:
        return process.poll() is not None or here.running() is not None

    try:
        await until(decided, within_seconds=_BACKGROUND_START_SECONDS)
    except TimeoutError:
        process.terminate()
        raise CliError(f"llmaz was not ready in time; see {here.logs}") from None
    return here.running()


def _flags(addresses: "Addresses", api_keys: Path | None) -> list[str]:
    ports = [f"{address.flag}={address.port}" for address in addresses.all]
    keys = [f"--api-keys={api_keys}"] if api_keys else []
    return [f"--host={addresses.gateway.host}", *ports, *keys]


def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete all objects, weights and logs as well.")
    ] = False,
) -> None:
    """Stop the engines, then everything. The objects and the weights stay."""

    async def work() -> None:
        from llmaz.local.down import DownError
        from llmaz.local.down import down as stop
        from llmaz.local.down import purge as delete
        from llmaz.local.engines import EnginesLeft

        here = home()
        try:
            found = await stop(here)
        except (DownError, EnginesLeft) as error:
            raise CliError(str(error)) from None
        if found.engines_left_behind:
            engines = ", ".join(found.engines_left_behind)
            typer.echo(f"stopped the engines that a killed llmaz had left: {engines}")
        typer.echo(
            f"llmaz on {here.root} {'is stopped' if found.was_running else 'was not running'}"
        )
        if purge:
            delete(here)
            typer.echo(f"deleted everything that llmaz kept in {here.root}")

    execute(work())


def status() -> None:
    """Say whether llmaz runs on this machine, where, and what it serves."""

    async def work() -> None:
        here = home()
        running = here.running()
        if running is None:
            if here.holder():
                raise CliError(f"llmaz is starting on {here.root}", code=UNREACHABLE)
            raise CliError(
                f"llmaz is not running on {here.root}",
                hint="start it with `llmaz up -d`",
                code=UNREACHABLE,
            )
        _print_where(here, running)
        await _print_playgrounds(here)

    execute(work())


async def _print_playgrounds(here: "Home") -> None:
    from llmaz.api.kinds import PLAYGROUND
    from llmaz.cli.output import print_table, row_keys, table_rows
    from llmaz.kube import Kube

    async with await Kube.connect(here.kubeconfig) as kube:
        table = await kube.table(PLAYGROUND)
    headers, rows = table_rows(table, wide=False)
    namespaced = [[key[0], *row] for key, row in zip(row_keys(table), rows, strict=True)]
    if namespaced:
        print_table(["Namespace", *headers], namespaced)
    else:
        typer.echo("no playgrounds; make one with `llmaz run MODEL`")


def kubeconfig() -> None:
    """Print the path of the kubeconfig: export KUBECONFIG=$(llmaz kubeconfig)."""
    try:
        typer.echo(made_home().kubeconfig)
    except CliError as error:
        fail(error)


def _print_where(here: "Home", running: "Running") -> None:
    typer.echo(f"llmaz is running (pid {running.pid}, home {here.root})")
    typer.echo(f"  OpenAI endpoint  {running.gateway_url}")
    if running.hub_url:
        typer.echo(f"  HF_ENDPOINT      {running.hub_url}")
    typer.echo(f"  API server       {running.api_url}")
    typer.echo(f"  kubeconfig       {here.kubeconfig}")
    typer.echo(f"  logs             {here.logs}")


def _say(line: str) -> None:
    try:
        print(f"{datetime.now().astimezone():%H:%M:%S} {line}", flush=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise  # else the disk of the log is full: no reason to stop serving

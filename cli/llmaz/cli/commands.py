"""The `llmaz` command: its commands, each of which imports what it needs when it runs."""

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from llmaz.cli import caching, changing, fitting, machine, rollout, serving, viewing
from llmaz.cli.errors import EXIT_CODES

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

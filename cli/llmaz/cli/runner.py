"""Run a command's work; whatever goes wrong ends as a sentence and an exit code."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import NoReturn

import typer

from llmaz.cli.errors import FAILED, INTERRUPTED, NOT_FOUND, UNREACHABLE, CliError

_START = "start llmaz on this machine with `llmaz up -d`, or name another cluster by --kubeconfig"


def execute(work: Coroutine[object, object, None]) -> None:
    """Do the work of one command."""
    try:
        _run(work)
    finally:
        work.close()  # an interrupt may come before it has begun


def _run(work: Coroutine[object, object, None]) -> None:
    from llmaz.kube import KubeError

    # What libraries log is for programs; without any handler Python would print it to the user.
    logging.getLogger("llmaz").addHandler(logging.NullHandler())
    try:
        asyncio.run(work)
    except CliError as error:
        fail(error)
    except KubeError as error:
        fail(_of_kube(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output has enough. Python would complain once more at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except OSError as error:
        fail(CliError(f"{error.filename or 'input or output'}: {(error.strerror or '').lower()}"))


def fail(error: CliError) -> NoReturn:
    """Say what is wrong on standard error, and leave."""
    typer.echo(f"error: {error}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
    raise typer.Exit(error.code)


def _of_kube(error: Exception) -> CliError:
    from llmaz.kube import NotFound, OutOfSpace, Unauthorized, Unavailable

    match error:
        case NotFound():
            return CliError(str(error), code=NOT_FOUND)
        case Unauthorized():
            return CliError(str(error), hint="the token in the kubeconfig is not this server's")
        case OutOfSpace():
            return CliError(str(error), hint="make room on the disk of LLMAZ_HOME, and try again")
        case Unavailable():
            return CliError(str(error), hint=_START, code=UNREACHABLE)
        case _:
            return CliError(str(error))

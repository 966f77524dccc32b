"""How the server is started."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DEFAULT_LISTEN = "127.0.0.1:6445"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The command line of `python -m llmaz.local.apiserver`."""

    data_dir: Path
    host: str
    port: int
    lifeline: bool
    log_format: Literal["text", "json"]

    @classmethod
    def from_argv(cls, argv: Sequence[str]) -> "Settings":
        """Read the arguments; a wrong one ends the program with a sentence, as argparse does."""
        parser = argparse.ArgumentParser(
            prog="python -m llmaz.local.apiserver", description="A Kubernetes API server on SQLite."
        )
        parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR")
        parser.add_argument(
            "--listen", type=_address, default=_address(DEFAULT_LISTEN), metavar="HOST:PORT"
        )
        parser.add_argument(
            "--lifeline", action="store_true", help="stop at the end of standard input"
        )
        parser.add_argument("--log-format", choices=("text", "json"), default="text")
        read = parser.parse_args(argv)
        host, port = read.listen
        return cls(
            data_dir=read.data_dir,
            host=host,
            port=port,
            lifeline=read.lifeline,
            log_format=read.log_format,
        )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as {DEFAULT_LISTEN}")
    return host, int(port)

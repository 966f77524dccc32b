"""The command line, in llama-server's spelling."""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

EXIT_CODES = f"""\
exit codes:
  0   stopped by SIGTERM or SIGINT
  1   llama.cpp could not load the model; its own lines above say why
  2   wrong usage
  {os.EX_DATAERR}  the model is no GGUF file
  {os.EX_NOINPUT}  the model cannot be read
  {os.EX_UNAVAILABLE}  xllamacpp is not installed
  {os.EX_TEMPFAIL}  the address cannot be listened on
A SIGTERM before the model is loaded ends the process at once, by that signal.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to serve, where, and with how much of the machine."""

    model: Path
    host: str
    port: int
    alias: str | None  # None: the file's name
    context_size: int  # tokens over all slots; 0: as the model was trained
    threads: int | None  # None: what the machine can spare
    parallel: int  # requests answered at the same time
    batch_size: int
    flash_attention: str
    metrics: bool
    embeddings: bool
    draft_model: Path | None
    draft_max: int
    draft_min: int

    @property
    def served_name(self) -> str:
        return self.alias or self.model.name


def from_argv(argv: Sequence[str]) -> Options:
    """Read the command line; leave the process with a usage line when it is wrong."""
    found = _parser().parse_args(argv)
    return Options(
        model=found.model,
        host=found.host,
        port=found.port,
        alias=found.alias,
        context_size=found.ctx_size,
        threads=found.threads,
        parallel=found.parallel,
        batch_size=found.batch_size,
        flash_attention=found.flash_attn,
        metrics=found.metrics,
        embeddings=found.embeddings,
        draft_model=found.model_draft,
        draft_max=found.draft_max,
        draft_min=found.draft_min,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmaz-llamacpp",
        description="Serve a GGUF model with llama.cpp's HTTP server.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-m", "--model", type=Path, required=True, help="the GGUF file")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add(
        "--port",
        type=_number(0, 65535),
        default=8080,
        help="port to listen on; 0 takes a free one (8080)",
    )
    add("-a", "--alias", help="name of the model in the API (the file's name)")
    add("-c", "--ctx-size", type=_number(0), default=0, help="context in tokens (the model's own)")
    add("-t", "--threads", type=_number(1), help="threads (physical cores, less one)")
    add("-np", "--parallel", type=_number(1), default=1, help="requests at the same time (1)")
    # On processors 2048 take minutes, in which no counter moves and nobody else gets a token.
    add("-b", "--batch-size", type=_number(1), default=256, help="prompt tokens per step (256)")
    add(
        "-fa",
        "--flash-attn",
        nargs="?",
        const="on",
        default="auto",
        choices=("on", "off", "auto"),
        help="flash attention (auto)",
    )
    add("--metrics", action="store_true", help="serve /metrics")
    add("--embeddings", "--embedding", action="store_true", help="serve /v1/embeddings only")
    add("-md", "--model-draft", type=Path, help="GGUF file of a draft model, to speculate with")
    add("--draft-max", "--draft", type=_number(0), default=16, help="most tokens drafted (16)")
    add("--draft-min", type=_number(0), default=0, help="fewest tokens worth a draft (0)")
    return parser


def _number(least: int, most: int | None = None) -> Callable[[str], int]:
    bounds = f"at least {least}" if most is None else f"from {least} to {most}"

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"must be {bounds}, not {value}")
        return value

    return number

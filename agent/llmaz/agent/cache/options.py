"""The options of the agent that are about its cache."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from llmaz.agent.cache.limits import RESERVE_BYTES, Limits
from llmaz.agent.cache.policy import EVERY_SOURCE, FetchPolicy, XetMode
from llmaz.agent.cache.scrub import DEFAULT_RATE
from llmaz.agent.options import byte_count, bytes_or_share, resolved

SLOWEST_FETCH = 256 * 2**10  # bytes a second: with less, a connection seems stalled
DEFAULT_READ_AHEAD = 2 * 2**30
_SOURCES = ("huggingface", "modelscope", "s3", "gs", "oss", "web", "ollama", "fsspec")


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmCopies:
    """Where copies of models are in memory, and how many bytes they may take."""

    directory: Path
    quota: int


def add_cache_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how much a cache takes, and what it fetches how."""
    parser.add_argument(
        "--cache-quota",
        type=bytes_or_share,
        metavar="BYTES|SHARE%",
        help="what fetched models may take, such as 500Gi or 80%% of the disk: what was used least"
        " recently goes first",
    )
    parser.add_argument(
        "--cache-reserve",
        type=bytes_or_share,
        default=RESERVE_BYTES,
        metavar="BYTES|SHARE%",
        help="what stays free on the disk of the cache, such as 50Gi or 12%%: kubelet evicts pods"
        " where less than a tenth or so is free",
    )
    _add_fetch_options(parser)
    parser.add_argument(
        "--scrub-rate",
        type=_rate_or_off,
        default=DEFAULT_RATE,
        metavar="BYTES|off",
        help="bytes a second at which all that is stored is read again once a week, and compared",
    )
    _add_memory_options(parser)
    _add_compiled_options(parser)


def _add_fetch_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fetch-rate",
        type=_rate,
        action="append",
        default=[],
        metavar="[SOURCE=]BYTES",
        help="bytes a second for all fetches of the node, or of one kind of source, such as 200Mi"
        f" or s3=50Mi; may be given for each of {', '.join(_SOURCES)}",
    )
    parser.add_argument(
        "--refuse-pickle",
        action="store_true",
        help="fetch no model with files that run code when they are opened (.bin, .pt, ...)",
    )
    parser.add_argument(
        "--xet",
        choices=get_args(XetMode),
        default="auto",
        help="fetch files that Hugging Face keeps in Xet by hf_xet: where plain downloads are slow"
        " (auto), or always; it may take a GiB of memory, and only files that no other node has"
        " part in come so",
    )
    parser.add_argument(
        "--gated-authorization",
        action="store_true",
        help="weights that are not public go only to namespaces whose credentials open them",
    )
    parser.add_argument(
        "--plain-http",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="a source that may be sent credentials without TLS; others but this machine may not",
    )
    parser.add_argument(
        "--default-secret-namespace",
        metavar="NAMESPACE",
        help="where credentials are looked up for prefetches, and where a namespace has none",
    )


def _add_memory_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which weights are in memory before their engine reads them."""
    parser.add_argument(
        "--read-ahead",
        type=_rate_or_off,
        default=DEFAULT_READ_AHEAD,
        metavar="BYTES|off",
        help="bytes a second at which weights are read into memory while their engine starts",
    )
    parser.add_argument(
        "--warm-dir",
        type=Path,
        metavar="DIRECTORY",
        help="a file system in memory (tmpfs) for copies of models that engines use, from which"
        " they start the next time",
    )
    parser.add_argument(
        "--warm-quota",
        type=byte_count,
        metavar="BYTES",
        help="what these copies may take, such as 64Gi: of those that no engine uses, the one used"
        " least recently goes first",
    )


def _add_compiled_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jit-cache",
        type=byte_count,
        metavar="BYTES",
        help="keep what engines compile (torch.compile, Triton, FlashInfer, CUDA) for later starts,"
        " in so many bytes, such as 20Gi; without it, nothing is kept. It is code that they run",
    )
    parser.add_argument(
        "--jit-cache-peers",
        action="store_true",
        help="share what is kept by --jit-cache with the nodes that share weights: each then runs"
        " code that any other of them made",
    )


def warm_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> WarmCopies | None:
    """Return where copies in memory are; a directory without a quota would fill the memory."""
    if (given.warm_dir is None) != (given.warm_quota is None):
        parser.error("--warm-dir and --warm-quota go together")
    if given.warm_dir is None:
        return None
    return WarmCopies(directory=given.warm_dir.absolute(), quota=given.warm_quota)


def limits_of(given: argparse.Namespace) -> Limits:
    """Return what fetched models may take."""
    cache_dir: Path = given.cache_dir.absolute()
    return Limits(
        quota=resolved(given.cache_quota, cache_dir),
        reserve=resolved(given.cache_reserve, cache_dir) or 0,
    )


def policy_of(given: argparse.Namespace) -> FetchPolicy:
    """Return what fetches may do."""
    return FetchPolicy(
        rates=dict(given.fetch_rate),
        refuse_pickle=given.refuse_pickle,
        gated_authorization=given.gated_authorization,
        plain_http=tuple(given.plain_http),
        xet=given.xet,
    )


def _rate(text: str) -> tuple[str, int]:
    source, separator, amount = text.rpartition("=")
    if separator and source not in _SOURCES:
        raise argparse.ArgumentTypeError(f"{source!r} is none of {', '.join(_SOURCES)}")
    return source or EVERY_SOURCE, _at_least(amount, byte_count(amount))


def _rate_or_off(text: str) -> int | None:
    return None if text == "off" else _at_least(text, byte_count(text))


def _at_least(text: str, rate: int) -> int:
    if rate < SLOWEST_FETCH:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 256Ki a second")
    return rate

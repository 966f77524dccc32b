"""The values of options: each is read from text, or refused in words. And how big a disk is."""

import argparse
import math
import shutil
from fractions import Fraction
from pathlib import Path

from llmaz.api.manifest import ManifestError
from llmaz.api.quantity import Quantity

_MOST = 10_000


def seconds(text: str) -> float:
    """Read a time to wait."""
    wait = float(text)
    if not 0 < wait < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time to wait")
    return wait


def bytes_or_share(text: str) -> int | Fraction:
    """Read bytes, such as 500Gi, or a share of the disk, such as 80%."""
    if not text.endswith("%"):
        return byte_count(text)
    if not text[:-1].isdecimal() or not 1 <= int(text[:-1]) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 1% to 100%")
    return Fraction(int(text[:-1]), 100)


def resolved(quota: int | Fraction | None, cache_dir: Path) -> int | None:
    """Turn a share into bytes of the disk that the cache is on, or will be."""
    if not isinstance(quota, Fraction):
        return quota
    there = next(path for path in (cache_dir, *cache_dir.parents) if path.exists())
    return int(shutil.disk_usage(there).total * quota)


def byte_count(text: str) -> int:
    """Read bytes, such as 500Gi."""
    try:
        return int(Quantity.from_json(text, "quota"))
    except ManifestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """Read how many of something there may be, at least one."""
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return int(text)


def endpoint(text: str) -> tuple[str, int]:
    """Read a host, with IPv6 in brackets, and a port."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)

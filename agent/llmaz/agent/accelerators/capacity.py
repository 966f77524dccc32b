"""How many processors and how much memory the engines of this node may use together."""

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psutil

from llmaz.api.quantity import Quantity

CGROUPS = Path("/sys/fs/cgroup")


def capacity(cgroups: Path = CGROUPS) -> dict[str, Quantity]:
    """Return the node's `cpu` and `memory`, or its control group's where that is less.

    The engines are children of the agent's cgroup when no pod holds them, so its limits are theirs.
    """
    processors = Decimal(len(os.sched_getaffinity(0)))
    memory = Decimal(psutil.virtual_memory().total)
    return {
        "cpu": Quantity(_cpu_text(min([processors, *_processor_limits(cgroups)]))),
        "memory": Quantity.of_bytes(int(min([memory, *_memory_limits(cgroups)]))),
    }


def _cpu_text(processors: Decimal) -> str:
    thousandths = int(processors * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def _processor_limits(cgroups: Path) -> Iterator[Decimal]:
    quota, _, period = _words(cgroups / "cpu.max").partition(" ")  # version 2: "max 100000"
    yield from _ratio(quota, period)
    yield from _ratio(  # version 1: -1 for no limit
        _words(cgroups / "cpu" / "cpu.cfs_quota_us"), _words(cgroups / "cpu" / "cpu.cfs_period_us")
    )


def _memory_limits(cgroups: Path) -> Iterator[Decimal]:
    for limit in (
        cgroups / "memory.max",  # version 2: "max" for no limit
        cgroups / "memory" / "memory.limit_in_bytes",  # version 1: almost 2^63 for no limit
    ):
        text = _words(limit)
        if text.isdecimal():
            yield Decimal(text)


def _ratio(quota: str, period: str) -> Iterator[Decimal]:
    if quota.isdecimal() and period.isdecimal() and int(period) > 0:
        yield Decimal(quota) / Decimal(period)


def _words(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""

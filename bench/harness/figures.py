"""Options of a benchmark, and its last line."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path


def options(description: str) -> argparse.Namespace:
    """Read `--quick`: the same measurement, smaller, in under a minute."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: under a minute")
    return parser.parse_args()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def resident_mib(pid: int) -> float:
    """Return a process' resident memory in MiB, as /proc tells it."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def together_mib(pids: Sequence[int]) -> float:
    """Return the memory of processes in MiB, with what they share counted once.

    That is all that is private, and the largest of what each shares: they run the same interpreter
    with the same libraries. Unlike the kernel's proportional share it is no smaller while other
    programs on the machine run that interpreter too.
    """
    private, shared = 0, [0]
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split()[0]: int(line.split()[1]) for line in rollup}
        private += sizes["Private_Clean:"] + sizes["Private_Dirty:"]
        shared.append(sizes["Shared_Clean:"] + sizes["Shared_Dirty:"])
    return (private + max(shared)) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and all that lives below it have used."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_seconds(pid) + sum(tree_cpu_seconds(int(child)) for child in children)


def report(**figures: object) -> None:
    """Print the figures as the last line, rounded to what a run can tell."""
    rounded = {
        name: float(f"{value:.3g}") if isinstance(value, float) else value
        for name, value in figures.items()
    }
    print(json.dumps(rounded))

"""Random histories of a cluster against the controller's own code: how many break a rule.

Each seed is one history of nodes, models, Playgrounds, faults and restarts, which ends with a
cluster that has to be what its objects say. A history that breaks a rule is printed in the fewest
steps that still break it; `--seed` goes through one again.
"""

import argparse
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from harness.figures import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.simulator.history import told

MANY, QUICK = 100_000, 200
_CHUNK = 50  # histories that a process goes through between two answers


def several(seeds: range) -> list[str]:
    """Return what the histories of these seeds break."""
    logging.disable(logging.CRITICAL)  # every fault is logged, and nearly every history has some
    return [words for seed in seeds if (words := told(seed)) is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} histories")
    parser.add_argument("--histories", type=int, default=MANY)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first")
    parser.add_argument("--seed", type=int, help="this history alone")
    given = parser.parse_args()
    if given.seed is not None:
        print(told(given.seed) or f"seed {given.seed} breaks no rule")
        return
    count = QUICK if given.quick else given.histories
    end = given.first + count
    chunks = [range(at, min(at + _CHUNK, end)) for at in range(given.first, end, _CHUNK)]
    started, failures = time.monotonic(), 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(several, chunks):
            failures += len(found)
            for words in found:
                print(words, flush=True)
    seconds = time.monotonic() - started
    report(histories=count, broken=failures, seconds=seconds, per_second=count / seconds)
    if failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""Random histories of a cluster against the controller's own code: how many break a rule.

Each seed is one history of nodes, models, Playgrounds, faults and restarts, which ends with a
cluster that has to be what its objects say. A history that breaks a rule is printed in the fewest
steps that still break it; `--seed` goes through one again. `--mutants` asks the reverse: whether
mistakes that the controller could make are found.
"""

import argparse
import gc
import logging
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from harness.figures import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.simulator.history import broken, steps_of, told
from support.simulator.mutants import MUTANTS, mutate

MANY, QUICK = 100_000, 200
MOST_PER_MUTANT = 5_000
_CHUNK = 50  # histories that a process goes through between two answers


def several(seeds: range) -> list[str]:
    """Return what the histories of these seeds break."""
    logging.disable(logging.CRITICAL)  # every fault is logged, and nearly every history has some
    gc.disable()  # what a history leaves is collected once it is over, with that of others
    found = [words for seed in seeds if (words := told(seed)) is not None]
    gc.collect()
    return found


def survives(mutant: str, histories: int) -> int | None:
    """Return the seed of the first history that finds a mistake made on purpose; None if none."""
    logging.disable(logging.CRITICAL)
    mutate(mutant)
    return next((seed for seed in range(histories) if broken(seed, steps_of(seed))), None)


def try_mutants(mutants: Sequence[str], histories: int) -> None:
    """Make these mistakes, each in a process of its own, and tell which history finds it."""
    alone = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), alone, max_tasks_per_child=1) as pool:
        found = list[int | None]()
        for mutant, seed in zip(
            mutants, pool.map(survives, mutants, repeat(histories)), strict=True
        ):
            found.append(seed)
            print(f"{mutant}: {'not found' if seed is None else f'seed {seed}'}", flush=True)
    missed = found.count(None)
    report(mutants=len(found), missed=missed)
    if missed:
        raise SystemExit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} histories")
    parser.add_argument("--histories", type=int, default=MANY)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first")
    parser.add_argument("--seed", type=int, help="this history alone")
    parser.add_argument("--mutants", action="store_true", help="try mistakes made on purpose")
    parser.add_argument(
        "--mutant", action="append", choices=MUTANTS, help="of these this one alone; repeatable"
    )
    given = parser.parse_args()
    if given.mutants or given.mutant:
        try_mutants(given.mutant or list(MUTANTS), min(given.histories, MOST_PER_MUTANT))
        return
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

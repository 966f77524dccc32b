"""A series of looks as lines of JSON: written while the autoscaler runs, and decided on again.

`python -m llmaz.controller.scaling.record FILE` prints what was decided at each line, from what
stands in the file alone.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from llmaz.api.manifest import Manifest, decode, encode
from llmaz.api.scaling import LoadTargets
from llmaz.controller.scaling.decide import Decision, Policy, decide
from llmaz.controller.scaling.load import EngineLoad, Sample
from llmaz.controller.scaling.series import Series
from llmaz.controller.snapshot import Key

Recorded = tuple[Key, Policy, Sample]


def write(output: TextIO, key: Key, policy: Policy, sample: Sample) -> None:
    """Add one look, with all that its decision depends on beside the looks before it."""
    row = {
        "playground": "/".join(key),
        "policy": {**dataclasses.asdict(policy), "targets": encode(policy.targets)},
        "sample": dataclasses.asdict(sample),
    }
    output.write(json.dumps(row) + "\n")
    output.flush()


def read(line: str) -> Recorded:
    """Read a line that `write` has written."""
    row = json.loads(line)
    namespace, _, name = row["playground"].partition("/")
    sample = row["sample"]
    engines = {id_: EngineLoad(**numbers) for id_, numbers in sample.pop("engines").items()}
    policy = row["policy"]
    targets = decode(LoadTargets, cast("Manifest", policy.pop("targets")))
    return (namespace, name), Policy(**policy, targets=targets), Sample(**sample, engines=engines)


def replay(lines: Iterator[str]) -> Iterator[tuple[Key, Sample, Decision]]:
    """Decide on every look again."""
    series: dict[Key, Series] = {}
    for key, policy, sample in map(read, lines):
        mine = series.setdefault(key, Series())
        mine.add(sample, policy)
        yield key, sample, decide(mine.samples, policy)


def main() -> None:
    with Path(sys.argv[1]).open() as lines:
        for key, sample, decision in replay(lines):
            words = f"{decision.reason}: {decision.message}".removesuffix(": ")
            change = f"{sample.replicas} -> {decision.replicas}"
            sys.stdout.write(f"{sample.at:.1f} {'/'.join(key)} {change} ({words})\n")


if __name__ == "__main__":
    main()

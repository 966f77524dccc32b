"""Which compiled programs may serve which engine, and where an engine looks for them. Pure.

What an engine compiles depends on far more than it says itself. Two engines share only where all is
the same that could make a difference; one that differs in vain compiles once more, and no harm is
done.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaz.api.node import Accelerator, AssignedEngine

# Each program's own variable for where it keeps what it compiled, and the directory that it gets.
_PLACES = {
    "VLLM_CACHE_ROOT": "vllm",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "FLASHINFER_WORKSPACE_BASE": "flashinfer",
    "DG_JIT_CACHE_DIR": "deepgemm",
    "SGLANG_DG_CACHE_DIR": "deepgemm",
    "CUDA_CACHE_PATH": "cuda",
}
_CUDA_CACHE_BYTES = 4 << 30  # the driver's own limit is 1 GiB, then it forgets


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What programs of this agent stand on: of a machine's kind, not of one machine."""

    architecture: str  # x86_64, aarch64
    python: str
    libc: str
    agent: str  # the version: its image brings the engines that need no environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The paths that an engine is given."""

    model_path: str
    draft_model_path: str
    programs: str


def key_of(
    engine: AssignedEngine, inputs: Inputs, devices: Sequence[Accelerator], ground: Ground
) -> str:
    """Return 64 hex digits, the same for engines that may share what they compile.

    Programs that others compiled are run as one's own, hence the namespace. Replicas of a Service
    share, and Services which differ in their names alone. A value from a Secret is in no key.
    """
    facts = {
        "namespace": engine.namespace,
        "runtime": engine.runtime,
        "image": engine.image,
        "command": [*engine.command, *engine.args],
        "requirements": engine.requirements,
        "env": [[one.name, one.value if one.value_from is None else None] for one in engine.env],
        "rank": engine.rank,
        "inputs": [inputs.model_path, inputs.draft_model_path, inputs.programs],
        "weights": engine.weights,
        "devices": sorted(map(_kind, devices)),
        "ground": [ground.architecture, ground.python, ground.libc, ground.agent],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def variables(directory: Path) -> Mapping[str, str]:
    """Return the variables that have an engine keep in a directory what it compiles."""
    places = {name: str(directory / below) for name, below in _PLACES.items()}
    return places | {"CUDA_CACHE_MAXSIZE": str(_CUDA_CACHE_BYTES)}


def _kind(device: Accelerator) -> tuple[str, ...]:
    """Return what programs are compiled for; of a driver, the first number of its version."""
    major = (device.driver_version or "").partition(".")[0]
    texts = (device.vendor, device.product, device.compute, device.profile, device.runtime_version)
    return (*(text or "" for text in texts), major)

"""How much the engines of a node may use together."""

import os
from pathlib import Path

import psutil
import pytest

from llmaz.agent.accelerators.capacity import capacity
from llmaz.api.quantity import Quantity

PROCESSORS = Quantity(str(len(os.sched_getaffinity(0))))
MEMORY = Quantity.of_bytes(psutil.virtual_memory().total)


def _group(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{text}\n")
    return root


def test_without_limits_it_is_the_machines(tmp_path: Path) -> None:
    assert capacity(tmp_path) == {"cpu": PROCESSORS, "memory": MEMORY}


@pytest.mark.parametrize(
    ("files", "cpu", "memory"),
    [
        ({"cpu_dot_max": "50000 100000", "memory_dot_max": "1048576"}, "500m", "1Mi"),
        ({"cpu_dot_max": "100000 100000", "memory_dot_max": "1000"}, "1", "1000"),
        (
            {
                "cpu__cpu.cfs_quota_us": "25000",
                "cpu__cpu.cfs_period_us": "100000",
                "memory__memory.limit_in_bytes": "2097152",
            },
            "250m",
            "2Mi",
        ),
    ],
)
def test_a_control_group_of_either_version_limits_it(
    files: dict[str, str], cpu: str, memory: str, tmp_path: Path
) -> None:
    assert capacity(_group(tmp_path, **files)) == {
        "cpu": Quantity(cpu),
        "memory": Quantity(memory),
    }


def test_a_control_group_without_limits_does_not(tmp_path: Path) -> None:
    group = _group(
        tmp_path,
        cpu_dot_max="max 100000",
        memory_dot_max="max",
        memory__memory_dot_limit_in_bytes=str(2**63 - 4096),
    )
    assert capacity(group) == {"cpu": PROCESSORS, "memory": MEMORY}

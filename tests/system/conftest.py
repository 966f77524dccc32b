"""Every test that asks for a machine gets a fresh one, of which nothing is left when it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "home")
    yield machine
    machine.llmaz("down")

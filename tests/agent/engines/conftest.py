"""Every test gets a state directory of which no engine and no shim is left when it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shims import end


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for directory in (tmp_path / "engines").glob("*"):
        end(directory)

"""Every test gets a directory whose shim and engine are gone when it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shims import Connection, end, launch


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end(tmp_path)


@pytest.fixture
def shim(directory: Path) -> Iterator[Connection]:
    assert launch(directory) == 0
    with Connection(directory) as connection:
        yield connection

"""Figures of real processes, which a busy machine spoils now and then: the best of a few counts."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

ATTEMPTS = 3


async def best_within(
    bound: float, measure: Callable[[Path], Awaitable[float]], folder: Path, what: str
) -> None:
    """Measure in fresh folders until a figure is within the bound; fail with all where none is."""
    found = []
    for attempt in range(ATTEMPTS):
        fresh = folder / str(attempt)
        fresh.mkdir()
        found.append(await measure(fresh))
        if found[-1] <= bound:
            return
    pytest.fail(f"{what}: {found}")

"""The table of upstream's cases names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "compatibility.md").read_text())


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_a_test_that_the_table_names_is_there(path: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_the_table_names_every_numbered_case() -> None:
    named = {name for _, name in NAMED}
    for path in Path(__file__).parent.glob("test_*.py"):
        numbered = re.findall(r"^def (test_8_\w+)\(", path.read_text(), re.MULTILINE)
        assert set(numbered) <= named

"""Rules of the repository itself."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMPORT_ROOTS = ("api", "agent", "controller", "gateway", "cli")


@pytest.mark.parametrize("root", IMPORT_ROOTS)
def test_the_namespace_package_has_no_init_file(root: str) -> None:
    assert not (ROOT / root / "llmaz" / "__init__.py").exists()


@pytest.mark.parametrize("root", IMPORT_ROOTS)
def test_every_package_says_in_one_line_what_it_is(root: str) -> None:
    packages = sorted((ROOT / root / "llmaz").glob("*/__init__.py"))
    assert packages
    assert [str(path) for path in packages if not path.read_text().startswith('"""')] == []


def test_no_test_patches_what_it_tests() -> None:
    words = ("unittest" + ".mock", "Magic" + "Mock", "monkey" + "patch")
    patching = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if any(word in path.read_text() for word in words)
    ]
    assert patching == []

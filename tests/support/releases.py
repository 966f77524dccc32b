"""What a release promises: its definitions and objects, for `tests/api/test_released.py`.

`make freeze` keeps those of this checkout below the version of pyproject.toml; a release does so
once, and nobody edits them afterwards.
"""

import json
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RELEASES = ROOT / "tests/released"
# What users apply, and what the chart does. What the programs write is made from the types.
OBJECTS = ("examples/**/*.yaml", "charts/llmaz/runtimes/*.yaml")


def main() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    freeze(ROOT, RELEASES / version)


def freeze(root: Path, kept: Path) -> None:
    """Write the definitions, less their descriptions, and the objects of a checkout."""
    kept.mkdir(parents=True, exist_ok=True)
    files = sorted((root / "charts/llmaz/crds").glob("*.yaml"))
    lines = [json.dumps(_bare(yaml.safe_load(path.read_text()))) for path in files]
    (kept / "definitions.jsonl").write_text("\n".join(lines) + "\n")
    paths = [path for pattern in OBJECTS for path in sorted(root.glob(pattern))]
    (kept / "objects.yaml").write_text("---\n".join(path.read_text() for path in paths))


def _bare(value: object) -> object:
    match value:
        case {"description": str(), **rest}:
            return _bare(rest)
        case dict():
            return {key: _bare(inner) for key, inner in value.items()}
        case list():
            return [_bare(inner) for inner in value]
    return value


if __name__ == "__main__":
    main()

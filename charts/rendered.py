#!/usr/bin/env python3
"""Write what is made from the chart: the table in its README, and the manifests in daemonset/."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CHART = HERE / "llmaz"
MARK = "<!-- Made by `make charts` from values.yaml; edit that. -->\n"
HEADER = "# Made by `make charts` from charts/llmaz with its default values; edit that.\n"
HELM_ONLY = ("app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart")


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent
    readme = root / "charts/llmaz/README.md"
    readme.parent.mkdir(parents=True, exist_ok=True)
    head = (CHART / "README.md").read_text().partition(MARK)[0]
    readme.write_text(f"{head}{MARK}\n{_table()}")
    manifests = root / "daemonset"
    manifests.mkdir(exist_ok=True)
    for name, objects in _by_file().items():
        text = yaml.safe_dump_all(objects, sort_keys=False, width=100)
        (manifests / f"{name}.yaml").write_text(HEADER + text)


def _table() -> str:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = ["| value | default | what it is |", "|---|---|---|"]
    for path, words in _described((CHART / "values.yaml").read_text().splitlines()):
        value = values
        for key in path:
            value = value[key]
        default = json.dumps(value).replace("|", "\\|")
        rows.append(f"| `{'.'.join(path)}` | `{default}` | {words} |")
    return "\n".join(rows) + "\n"


def _described(lines: list[str]) -> Iterator[tuple[list[str], str]]:
    """Yield the path of every value with a comment above it, and the comment."""
    path: list[str] = []
    words = ""
    for line in lines:
        text = line.strip()
        if text.startswith("# "):
            words = text[2:]
            continue
        key, colon, _ = text.partition(":")
        if colon and not text.startswith("-"):
            path = [*path[: (len(line) - len(line.lstrip())) // 2], key]
            if words:
                yield list(path), words
        words = ""


def _by_file() -> dict[str, list[Any]]:
    files: dict[str, list[Any]] = {}
    for manifest in _rendered():
        labels = manifest["metadata"]["labels"]
        if "helm.sh/hook" in manifest["metadata"].get("annotations", {}):
            continue
        _without_helm(labels)
        _without_helm(manifest.get("spec", {}).get("template", {}).get("metadata", {}))
        name = labels.get("app.kubernetes.io/component", "runtimes")
        files.setdefault(name, []).append(manifest)
    return files


def _rendered() -> list[Any]:
    helm = Path(sys.executable).with_name("helm")
    command = [str(helm), "template", "llmaz", str(CHART), "--namespace", "llmaz-system"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def _without_helm(metadata: dict[str, Any]) -> None:
    labels = metadata.get("labels", metadata)
    for key in HELM_ONLY:
        labels.pop(key, None)


if __name__ == "__main__":
    main()

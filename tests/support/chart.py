"""The chart as helm renders it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/llmaz"
HELM = Path(sys.executable).with_name("helm")  # put there by `make dev`
Json = Any


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


def template(values: Json = None, *options: str, namespace: str = "llmaz-system") -> str:
    """Return the text that helm renders; its refusal fails the test with its words."""
    done = helm_template(values, *options, namespace=namespace)
    assert done.returncode == 0, done.stderr
    return done.stdout


def helm_template(
    values: Json = None, *options: str, namespace: str = "llmaz-system"
) -> "subprocess.CompletedProcess[str]":
    given = [f"--set-json={key}={json.dumps(value)}" for key, value in (values or {}).items()]
    return helm("template", "llmaz", str(CHART), "--namespace", namespace, *given, *options)


def rendered(values: Json = None, *options: str) -> list[Json]:
    """Return the objects that helm renders."""
    return [one for one in yaml.safe_load_all(template(values, *options)) if one]


def the(objects: list[Json], kind: str, name: str) -> Json:
    """Return the one object of a kind and name."""
    (found,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def only(objects: list[Json], kind: str) -> list[Json]:
    return [one for one in objects if one["kind"] == kind]

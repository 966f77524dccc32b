"""What a test knows about an API server."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class ControlPlane:
    """An API server: its kubeconfig, and what a bare HTTP client needs."""

    kubeconfig: Path
    url: str
    token: str
    authority: Path
    real: bool = False
    collects: bool = True  # whether what no owner holds any more is deleted


def plane_of(
    kubeconfig: Path, directory: Path, *, real: bool = False, collects: bool = True
) -> ControlPlane:
    """Read the current context of a kubeconfig with a token; its authority goes beside."""
    config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    if "token" not in user:
        raise AssertionError(f"{kubeconfig}: the tests need a user with a token")
    authority = directory / "authority.crt"
    if "certificate-authority-data" in cluster:
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    else:
        authority.write_bytes(Path(cluster["certificate-authority"]).read_bytes())
    return ControlPlane(kubeconfig, cluster["server"], user["token"], authority, real, collects)


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)

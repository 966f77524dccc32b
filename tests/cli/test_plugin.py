"""`kubectl llmaz`: the command as a plugin of a stock kubectl."""

import os
import subprocess
import sys
from pathlib import Path

from support.plane import ControlPlane

PROGRAMS = Path(sys.executable).parent


def kubectl(home: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "LLMAZ_HOME")}
    environment |= {"HOME": str(home), "PATH": f"{PROGRAMS}{os.pathsep}{environment['PATH']}"}
    return subprocess.run(
        ["kubectl", *arguments],
        env=environment | more,
        capture_output=True,
        check=False,
        text=True,
        timeout=150,
    )


def test_kubectl_finds_it(tmp_path: Path) -> None:
    found = kubectl(tmp_path, "plugin", "list", "--name-only")
    assert "kubectl-llmaz" in found.stdout.split()
    assert "rollout" in kubectl(tmp_path, "llmaz", "--help").stdout


def test_it_talks_to_the_cluster_that_kubectl_talks_to(
    tmp_path: Path, control_plane: ControlPlane
) -> None:
    named = kubectl(tmp_path, "llmaz", "get", "ns", KUBECONFIG=str(control_plane.kubeconfig))
    assert named.returncode == 0, named.stderr
    assert "default" in named.stdout
    none = kubectl(tmp_path, "llmaz", "get", "ns")
    assert none.returncode == 4
    assert f"kubectl has no cluster: {tmp_path}/.kube/config does not exist" in none.stderr
    directory = tmp_path / ".kube"
    directory.mkdir()
    (directory / "config").write_bytes(control_plane.kubeconfig.read_bytes())
    assert "default" in kubectl(tmp_path, "llmaz", "get", "ns").stdout

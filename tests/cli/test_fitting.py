"""`llmaz fit` as people run it, against a real API server and nodes that have reported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmaz.api.kinds import OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest, encode
from llmaz.kube import Kube
from support.cluster import Agent, install
from support.placing import LLAMA
from support.plane import ControlPlane

LLMAZ = Path(sys.executable).with_name("llmaz")


def fit(plane: ControlPlane, *argv: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "KUBECONFIG": str(plane.kubeconfig),
        "HF_ENDPOINT": "http://[::1]:9",
    }
    return subprocess.run(
        [LLMAZ, "fit", *argv],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=150,
    )


@pytest.fixture
async def plane(control_plane: ControlPlane) -> ControlPlane:
    """A node with one accelerator of 24 GiB, one with two, and a model of 16 GiB."""
    flavors: Manifest = {
        "flavors": [
            {"name": "one", "limits": {"nvidia.com/gpu": 1}},
            {"name": "two", "limits": {"nvidia.com/gpu": 2}},
        ]
    }
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await install(kube)
        for name, gpus in (("fit-1", 1), ("fit-2", 2)):
            await Agent(kube, name).register(gpus=gpus)
        spec: Manifest = {
            "familyName": "llama",
            "source": {"modelHub": {"modelID": "org/llama"}},
            "inferenceConfig": flavors,
        }
        manifest: Manifest = {"metadata": {"name": "fitting"}, "spec": spec}
        made = await kube.apply(OPEN_MODEL, manifest, manager="tests")
        metadata = made["metadata"]
        assert isinstance(metadata, dict)
        status: Manifest = {
            "status": {"memory": encode(LLAMA), "observedGeneration": metadata["generation"]}
        }
        await kube.patch(OPEN_MODEL, "fitting", status, subresource="status")
    return control_plane


async def test_it_tells_each_node_and_what_is_short(plane: ControlPlane) -> None:
    ran = fit(plane, "fitting")
    assert ran.returncode == 0, ran.stderr
    rows = {tuple(line.split()[:3]) for line in ran.stdout.splitlines() if line.strip()}
    assert {
        ("one", "fit-1", "yes"),
        ("one", "fit-2", "yes"),
        ("two", "fit-1", "no"),
        ("two", "fit-2", "yes"),
    } <= rows
    assert " GiB of each accelerator are 16.0 of weights, 1.0 of KV cache for 8192 " in ran.stdout

    ran = fit(plane, "fitting", "--context", "131072", "--flavor", "one", "-o", "json")
    assert ran.returncode == 1
    rows_ = [row for row in json.loads(ran.stdout) if row["node"].startswith("fit-")]
    assert [row["fits"] for row in rows_] == [False, False]
    assert rows_[0]["cacheBytes"] == 131072 * LLAMA.token_bytes  # type: ignore[operator]  # known
    assert "with 35.9 GiB memory, the others have at most 24.0" in rows_[0]["short"]
    assert "no node can run fitting now" in ran.stderr

    ran = fit(plane, "org/unknown")
    assert ran.returncode == 0, ran.stderr
    assert "1x nvidia.com/gpu: its memory is not known: the hub does not answer" in ran.stdout
    nodes = [line.split() for line in ran.stdout.splitlines() if " fit-" in line]
    assert {words[3] for words in nodes} == {"maybe", "no"}
    assert fit(plane, "nothing").returncode == 3


async def test_a_model_is_asked_about_for_the_runtime_that_its_playground_names(
    plane: ControlPlane,
) -> None:
    claim: Manifest = {
        "modelClaim": {"modelName": "fitting"},
        "backendRuntimeConfig": {"backendName": "llamacpp"},
    }
    metadata: Manifest = {"name": "fitting", "namespace": "default"}
    asked = ("fitting", "--flavor", "one")
    by_default = fit(plane, *asked).stdout
    async with await Kube.connect(plane.kubeconfig) as kube:
        await kube.apply(PLAYGROUND, {"metadata": metadata, "spec": claim}, manager="tests")
        served = fit(plane, *asked).stdout
        assert served == fit(plane, *asked, "--backend", "llamacpp").stdout != by_default
        assert fit(plane, *asked, "--backend", "vllm").stdout == by_default
        await kube.delete(PLAYGROUND, "fitting", "default")

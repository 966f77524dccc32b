"""What is made from the chart is up to date, and the images are made of what exists."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from support.chart import CHART, ROOT, Json, rendered, template

DAEMONSET = ROOT / "daemonset"
DOCKERFILE = (DAEMONSET / "Dockerfile").read_text()
MADE = ("agent", "controller", "gateway", "runtimes")
HELM_ONLY = {"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"}
EXTRA = re.compile(r"llmaz-\*\.whl\)\[(\w+)\]")
IGNORED = ("#", "ARG", "ENV", "USER", "WORKDIR")


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _without_helm(manifest: Json) -> Json:
    pod = manifest.get("spec", {}).get("template", {}).get("metadata", {})
    for labels in (manifest["metadata"].get("labels", {}), pod.get("labels", {})):
        for key in HELM_ONLY & labels.keys():
            del labels[key]
    return manifest


def _named(manifests: list[Json]) -> dict[tuple[str, str, str], Json]:
    return {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
        for one in manifests
    }


def test_the_readme_and_the_plain_manifests_are_what_the_chart_makes(tmp_path: Path) -> None:
    _run(sys.executable, str(ROOT / "charts/rendered.py"), str(tmp_path))
    made = tmp_path / "charts/llmaz/README.md"
    assert made.read_text() == (CHART / "README.md").read_text(), "run `make charts`"
    for name in MADE:
        kept = (DAEMONSET / f"{name}.yaml").read_text()
        assert (tmp_path / f"daemonset/{name}.yaml").read_text() == kept, "run `make charts`"


def test_kustomize_builds_what_helm_renders_and_the_namespace() -> None:
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    built = _named(list(yaml.safe_load_all(_run(kubectl, "kustomize", str(DAEMONSET)))))
    namespace = built.pop(("Namespace", "", "llmaz-system"))
    wanted = [
        _without_helm(one)
        for one in rendered()
        if "helm.sh/hook" not in one["metadata"].get("annotations", {})
    ]
    assert built == _named(wanted)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


def _steps() -> list[list[str]]:
    """Return the words of each instruction, with continued lines joined."""
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith(IGNORED)]


def test_a_dockerfile_copies_what_exists_from_where_it_exists() -> None:
    stages: set[str] = set()
    for keyword, *words in _steps():
        if keyword == "FROM":
            assert words[0] in stages or words[0] == "python:${PYTHON}"
            stages.add(words[2])
        elif keyword == "COPY" and words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in stages
        elif keyword == "COPY":
            assert [source for source in words[:-1] if not (ROOT / source).exists()] == []
    assert {"controller", "gateway", "agent", "agent-cpu"} <= stages


def test_what_a_dockerfile_copies_is_let_through() -> None:
    let_through = {
        line.removeprefix("!")
        for line in (DAEMONSET / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for keyword, *words in _steps()
        if keyword == "COPY" and not words[0].startswith("--from=")
        for source in words[:-1]
    }
    assert copied == let_through


def test_a_dockerfile_installs_extras_and_starts_programs_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(EXTRA.findall(DOCKERFILE)) <= project["optional-dependencies"].keys()
    started = re.findall(r'^ENTRYPOINT \["([\w-]+)"\]', DOCKERFILE, re.MULTILINE)
    assert set(started) <= project["scripts"].keys()


def test_images_run_as_nobody_and_from_a_version() -> None:
    program = DOCKERFILE.partition("AS program")[2].partition("FROM")[0]
    assert "USER 65532:65532" in program
    assert re.search(r"^ARG PYTHON=\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.count("-c /constraints.txt") == DOCKERFILE.count("pip install")


def test_every_package_of_the_images_is_pinned_and_none_is_torch() -> None:
    kept = (DAEMONSET / "constraints.txt").read_text()
    needed = _run(sys.executable, str(DAEMONSET / "constraints.py"))
    assert _names(needed) == _names(kept), "run `make constraints`"
    assert "torch" not in _names(kept)


def _names(pins: str) -> set[str]:
    return {line.partition("==")[0] for line in pins.splitlines()}


@pytest.mark.parametrize(
    "path",
    ["docs/install.md", "docs/security.md", "docs/troubleshooting.md", "charts/llmaz/README.md"],
)
def test_values_that_the_documents_name_exist(path: str) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    text = (ROOT / path).read_text()
    for name in re.findall(r"`((?:{})\.[\w.]+?)[=`]".format("|".join(values)), text):
        value = values
        for key in name.split("."):
            assert key in value, f"{path}: {name}"
            value = value[key]


def test_the_notes_say_what_an_upgrade_does_not_do() -> None:
    notes = (CHART / "templates/NOTES.txt").read_text()
    assert "OnDelete" in notes
    assert "end with those pods" in notes
    assert "updateStrategy" in template()

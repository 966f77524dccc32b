"""What is made from the chart is up to date, and the documents name values that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.chart import CHART, ROOT, Json, rendered, template

DAEMONSET = ROOT / "daemonset"
MADE = ("agent", "controller", "gateway", "runtimes")
HELM_ONLY = {"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"}


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

"""Alerts and panels ask for series that the programs have."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from charts.conftest import Evidence
from support.chart import CHART, Json, rendered, the

SERIES = re.compile(r"llmaz_[a-z_]+")
TYPE = re.compile(r"^# TYPE (llmaz_\w+) (\w+)$", re.MULTILINE)
LABEL = re.compile(r"(\w+)=\"")
NAMED_LABELS = re.compile(r"(?:by|on|without) \(([\w, ]+)\)|\{(\w+)[=!~]")
OF_PROMETHEUS = {"instance", "le"}  # labels that no program sets
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def rules() -> list[Json]:
    (group,) = yaml.safe_load((CHART / "monitoring/rules.yaml").read_text())["groups"]
    found: list[Json] = group["rules"]
    return found


def panels() -> list[Json]:
    found: list[Json] = json.loads((CHART / "monitoring/dashboard.json").read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


@pytest.fixture(scope="module")
def text(evidence: Evidence) -> str:
    return "\n".join(evidence.metrics.values())


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_names_series_and_labels_that_exist(expression: str, text: str) -> None:
    there = {name + part for name, kind in TYPE.findall(text) for part in PARTS.get(kind, ())}
    assert set(SERIES.findall(expression)) <= there
    lists = [first or second for first, second in NAMED_LABELS.findall(expression)]
    named = {label.strip() for part in lists for label in part.split(",")}
    assert named <= set(LABEL.findall(text)) | OF_PROMETHEUS


def test_every_alert_has_a_name_a_severity_and_a_summary() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}
    assert len(places) == len(panels())


def test_rules_and_dashboard_are_installed_as_they_are_written() -> None:
    objects = rendered({"monitoring.rules": "ConfigMap", "monitoring.dashboard.enabled": True})
    carried = the(objects, "ConfigMap", "llmaz-rules")["data"]["llmaz.yaml"]
    assert yaml.safe_load(carried)["groups"][0]["rules"] == rules()
    shown = the(objects, "ConfigMap", "llmaz-dashboard")["data"]["llmaz.json"]
    assert json.loads(shown)["panels"] == panels()
    operators = rendered({"monitoring.rules": "PrometheusRule"})
    assert the(operators, "PrometheusRule", "llmaz-rules")["spec"]["groups"][0]["rules"] == rules()


def test_what_is_scraped_has_a_port_of_that_name() -> None:
    objects = rendered({"monitoring.monitors": True})
    (endpoint,) = the(objects, "ServiceMonitor", "llmaz-gateway")["spec"]["endpoints"]
    ports = the(objects, "Service", "llmaz-gateway")["spec"]["ports"]
    assert endpoint["port"] in {port["name"] for port in ports}
    for kind, program in (("Deployment", "controller"), ("DaemonSet", "agent")):
        monitor = the(objects, "PodMonitor", f"llmaz-{program}")["spec"]
        template = the(objects, kind, f"llmaz-{program}")["spec"]["template"]
        assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        (container,) = template["spec"]["containers"]
        (scraped,) = monitor["podMetricsEndpoints"]
        assert scraped["port"] in {port["name"] for port in container["ports"]}

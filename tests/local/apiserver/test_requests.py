"""Bad requests get a Status that says what is wrong; good ones come in JSON and YAML."""

import json

import pytest
import yaml

from support.apicalls import config_map, created, got, namespace
from support.plane import ControlPlane
from support.recordings import Answer, call

MAPS = "/api/v1/namespaces/default/configmaps"
LIMIT = 3 * 1024 * 1024


def _is_status(answer: Answer, code: int, reason: str) -> bool:
    status = answer.json()
    assert isinstance(status, dict), answer.text
    assert status["kind"] == "Status"
    assert status["message"]
    return (answer.status, status["code"], status["reason"]) == (code, code, reason)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"text"',
        "{]",
        '{"a": NaN}',
        '{"a": 1} x',
        "\x00",
        b"\xff\xfe",
        '{"metadata": 7}',
        '{"metadata": {"name": 7}}',
        '{"metadata": {"labels": []}}',
        '{"metadata": {"labels": {"a": 1}}}',
        '{"metadata": {"finalizers": "x"}}',
        '{"metadata": {"ownerReferences": ["x"]}}',
        '{"metadata": {"ownerReferences": [{"uid": ["x"]}]}}',
        '{"metadata": {"managedFields": [{"manager": 7}]}}',
        '{"metadata": {"name": "large"}, "data": 1e999}',
        '{"metadata": {"name": "wide"}}'.encode("utf-16"),
        '{"metadata": {"name": "typed"}, "data": {"a": 1}}',
        "[" * 100_000,
        '{"metadata": ' * 50_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_object_is_a_bad_request(
    control_plane: ControlPlane, body: str | bytes
) -> None:
    assert _is_status(call(control_plane, "POST", MAPS, body), 400, "BadRequest")


@pytest.mark.parametrize(
    "body", ["null", "{}", '{"metadata": {"managedFields": [{"fieldsV1": "x"}]}}']
)
def test_an_object_without_a_name_is_refused(control_plane: ControlPlane, body: str) -> None:
    answer = call(control_plane, "POST", MAPS, body)
    assert _is_status(answer, answer.status, "Invalid" if answer.status == 422 else "BadRequest")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/namespaces/default/services", {"spec": {"ports": ["x"]}}),
        ("/api/v1/namespaces/default/pods", {"spec": {"containers": {"name": "x"}}}),
        ("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {"ports": [[]]}),
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {"spec": {"versions": [{}]}}),
        ("/api/v1/namespaces", {"metadata": {}}),
        ("/api/v1/nodes", {"metadata": {"name": "n"}, "status": {"capacity": "all"}}),
    ],
    ids=lambda value: value.rsplit("/", 1)[-1] if isinstance(value, str) else "",
)
def test_a_built_in_object_of_the_wrong_types_is_refused(
    control_plane: ControlPlane, path: str, body: dict[str, object]
) -> None:
    answer = call(control_plane, "POST", path, {"metadata": {"name": "odd"}} | body)
    assert answer.status in (400, 422), answer.text
    assert answer.json()["message"]


def test_a_body_over_the_limit_is_too_large(control_plane: ControlPlane) -> None:
    body = json.dumps(config_map("large", text="x" * LIMIT))
    answer = call(control_plane, "POST", MAPS, body)
    assert _is_status(answer, 413, "RequestEntityTooLarge")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_is_not_encoded_as_it_says_is_refused_or_taken_as_it_is(
    control_plane: ControlPlane, encoding: str
) -> None:
    """A kube-apiserver reads no such header of a request."""
    headers = {"Content-Encoding": encoding}
    body = config_map(f"encoded-{encoding}")
    answer = call(control_plane, "POST", MAPS, body, headers=headers)
    assert answer.status == 201 or _is_status(answer, 400, "BadRequest")


def test_a_grace_that_is_no_number_is_refused(control_plane: ControlPlane) -> None:
    call(control_plane, "POST", MAPS, config_map("graceful"))
    answer = call(control_plane, "DELETE", f"{MAPS}/graceful?gracePeriodSeconds=soon")
    assert _is_status(answer, 400, "BadRequest")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "image/png"])
def test_a_body_of_an_unknown_type_is_not_read(
    control_plane: ControlPlane, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    answer = call(control_plane, "POST", MAPS, config_map("typed"), headers=headers)
    assert _is_status(answer, 415, "UnsupportedMediaType")


def test_a_broken_protobuf_message_is_refused(control_plane: ControlPlane) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    for body in (b"", b"k8s\x00", b"k8s\x00\x0a\xff", b"k8s\x00\x0a\x04\x0a\x02v1"):
        answer = call(control_plane, "POST", MAPS, body, headers=headers)
        assert answer.status in (400, 415, 422), answer.text  # the last one is whole and empty


def test_what_cannot_be_accepted_is_said(control_plane: ControlPlane) -> None:
    answer = call(control_plane, "GET", MAPS, headers={"Accept": "image/png"})
    assert _is_status(answer, 406, "NotAcceptable")


def test_protobuf_is_answered_in_json_when_the_client_takes_both(
    control_plane: ControlPlane,
) -> None:
    if control_plane.real:
        pytest.skip("a real server answers in protobuf")
    accept = "application/vnd.kubernetes.protobuf,application/json"
    answer = call(control_plane, "GET", MAPS, headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["kind"] == "ConfigMapList"


def test_yaml_goes_in_and_comes_out(control_plane: ControlPlane) -> None:
    maps = namespace(control_plane, "yaml")
    body = yaml.safe_dump(config_map("plain", on="off", day="2026-01-31"))
    headers = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    answer = call(control_plane, "POST", maps, body, headers=headers)
    assert answer.status == 201, answer.text
    made = yaml.safe_load(answer.text)
    assert made["data"] == {"on": "off", "day": "2026-01-31"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", MAPS),
        ("POST", f"{MAPS}/x"),
        ("POST", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/namespaces"),
        ("DELETE", "/api/v1/configmaps"),
    ],
)
def test_a_verb_that_a_path_does_not_have_is_not_allowed(
    control_plane: ControlPlane, method: str, path: str
) -> None:
    assert _is_status(call(control_plane, method, path, {}), 405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("POST", "dryRun=all"),
        ("POST", "fieldManager=%00"),
        ("POST", "fieldManager=" + "x" * 129),
        ("POST", "fieldValidation=Sometimes"),
        ("DELETE", "dryRun=true"),
        ("DELETE", "propagationPolicy=Sometimes"),
        ("GET", "resourceVersionMatch=Exact"),
        ("GET", "resourceVersionMatch=Exact&resourceVersion=0"),
        ("GET", "resourceVersionMatch=Roughly&resourceVersion=1"),
        ("GET", "watch=1&resourceVersionMatch=Exact&resourceVersion=1"),
    ],
)
def test_an_impossible_option_is_refused_before_anything_is_done(
    control_plane: ControlPlane, method: str, query: str
) -> None:
    # The options of a deletion that has a body are read from there.
    answer = call(control_plane, method, f"{MAPS}?{query}", {} if method == "POST" else None)
    assert _is_status(answer, 422, "Invalid")


@pytest.mark.parametrize("query", ["limit=many", "limit=" + "9" * 5000, "watch=1&timeoutSeconds=x"])
def test_a_number_that_is_none_is_a_bad_request(control_plane: ControlPlane, query: str) -> None:
    assert _is_status(call(control_plane, "GET", f"{MAPS}?{query}"), 400, "BadRequest")


def test_a_text_that_utf8_cannot_carry_is_kept_readable(control_plane: ControlPlane) -> None:
    maps = namespace(control_plane, "surrogates")
    body = '{"metadata": {"name": "odd"}, "data": {"key": "a\\ud800b", "smile": "\\ud83d\\ude00"}}'
    assert call(control_plane, "POST", maps, body).status == 201
    assert got(control_plane, f"{maps}/odd")["data"] == {"key": "a\ufffdb", "smile": "\U0001f600"}


def test_duplicate_keys_are_warned_of_and_refused_when_asked(control_plane: ControlPlane) -> None:
    maps = namespace(control_plane, "duplicates")
    body = '{"metadata": {"name": "twice"}, "data": {"a": "1"}, "data": {"a": "2"}}'
    strict = call(control_plane, "POST", f"{maps}?fieldValidation=Strict", body)
    assert _is_status(strict, 400, "BadRequest")
    warned = call(control_plane, "POST", maps, body)
    assert warned.status == 201
    assert "duplicate field" in warned.headers["Warning"]


def test_lists_go_on_where_a_page_ended_and_show_one_version(control_plane: ControlPlane) -> None:
    maps = namespace(control_plane, "pages")
    for number in range(5):
        created(control_plane, maps, config_map(f"m{number}"))
    first = got(control_plane, f"{maps}?limit=2")
    created(control_plane, maps, config_map("m1-later"))
    call(control_plane, "DELETE", f"{maps}/m4")
    token = first["metadata"]["continue"]
    second = got(control_plane, f"{maps}?limit=2&continue={token}")
    third = got(control_plane, f"{maps}?limit=2&continue={second['metadata']['continue']}")

    pages = [
        [item["metadata"]["name"] for item in page["items"]] for page in (first, second, third)
    ]
    assert pages == [["m0", "m1"], ["m2", "m3"], ["m4"]]
    assert first["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]


def test_strangers_see_health_and_nothing_else(control_plane: ControlPlane) -> None:
    nobody = {"Authorization": ""}
    for path in ("/healthz", "/readyz", "/livez", "/version"):
        assert call(control_plane, "GET", path, headers=nobody).status == 200
    for path in ("/", "/metrics", "/openapi/v3", MAPS):
        assert call(control_plane, "GET", path, headers=nobody).status == 403
    for method in ("POST", "DELETE", "PATCH", "PUT"):
        assert call(control_plane, method, MAPS, {}, headers=nobody).status == 403
    for wrong, code in (("Bearer wrong", 401), ("Bearer \xff", 401), ("Basic d3Jvbmc=", 403)):
        headers = {"Authorization": wrong}
        assert call(control_plane, "GET", MAPS, headers=headers).status == code

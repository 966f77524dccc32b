import dataclasses
from datetime import UTC, datetime, timedelta

from llmaz.api.manifest import Json, decode
from llmaz.api.meta import ObjectMeta
from llmaz.gateway.answers import model_entry
from llmaz.gateway.objects import EndpointSlice, Playground
from llmaz.gateway.routes import AmbiguousName, Endpoint, Route, Table, UnknownName, table
from support.builders import model


def playground(
    name: str,
    model: str = "qwen",
    *,
    waits: str = "",
    available: str = "False",
    namespace: str = "default",
) -> Playground:
    condition: Json = {"type": "Available", "status": available, "message": waits}
    conditions: Json = [condition] if waits else []
    return decode(
        Playground,
        {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": 1, "modelClaim": {"modelName": model}},
            "status": {"conditions": conditions},
        },
    )


def engine(
    playground: str,
    address: str,
    *,
    port: int = 8080,
    ready: bool = True,
    model: str = "qwen",
    namespace: str = "default",
    owner: str = "playground",
) -> EndpointSlice:
    return decode(
        EndpointSlice,
        {
            "metadata": {
                "name": f"{playground}-lb-{address}",
                "namespace": namespace,
                "labels": {
                    "kubernetes.io/service-name": f"{playground}-lb",
                    "llmaz.io/model-name": model,
                    f"llmaz.io/{owner}": playground,
                },
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        },
    )


def endpoints(found: Table, name: str) -> list[str]:
    route = found.find(name)
    assert isinstance(route, Route)
    return [str(endpoint) for endpoint in route.endpoints]


def test_a_model_is_served_by_all_of_its_playgrounds() -> None:
    found = table(
        [playground("a"), playground("b")],
        [engine("a", "10.0.0.1"), engine("a", "10.0.0.2"), engine("b", "10.0.0.3", port=9000)],
    )
    assert endpoints(found, "qwen") == [
        "10.0.0.1:8080",
        "10.0.0.2:8080",
        "10.0.0.3:9000",
    ]


def test_a_playground_can_be_asked_for_by_its_name_with_and_without_the_namespace() -> None:
    found = table(
        [playground("a"), playground("b")], [engine("a", "10.0.0.1"), engine("b", "10.0.0.2")]
    )
    assert endpoints(found, "default/b") == endpoints(found, "b") == ["10.0.0.2:8080"]
    assert found.find("b") == Route("qwen", found.served[1:], "qwen")


def test_engines_may_know_a_model_by_another_name() -> None:
    pulled = model("qwen", uri="ollama://qwen2:0.5b")
    found = table([playground("a")], [engine("a", "10.0.0.1")], [pulled])
    assert found.find("qwen") == Route("qwen", found.served, "qwen2:0.5b")


def test_a_model_is_listed_with_its_owner_and_as_old_as_its_open_model_says() -> None:
    made = datetime(2026, 1, 31, 12, tzinfo=UTC)
    plain = model("qwen")
    old = dataclasses.replace(plain, metadata=ObjectMeta(name="qwen", creation_timestamp=made))
    said = dataclasses.replace(plain.spec, owned_by="research", created_at=made - timedelta(days=9))
    for one, owner, age in [
        (plain, "llmaz", 0),
        (old, "llmaz", int(made.timestamp())),
        (dataclasses.replace(old, spec=said), "research", int(made.timestamp()) - 9 * 86400),
    ]:
        found = table([playground("a")], [], [one])
        entry = model_entry("qwen", found.served, found.origin("qwen"))
        assert (entry["owned_by"], entry["created"]) == (owner, age)


def test_a_bare_name_that_two_namespaces_have_is_ambiguous() -> None:
    found = table([playground("a", namespace="x"), playground("a", namespace="y")], [])
    assert found.find("a") == AmbiguousName(("x/a", "y/a"))


def test_the_models_name_wins_over_a_playgrounds() -> None:
    found = table(
        [playground("qwen", "opt"), playground("a", "qwen")],
        [engine("qwen", "10.0.0.1", model="opt"), engine("a", "10.0.0.2")],
    )
    assert endpoints(found, "qwen") == ["10.0.0.2:8080"]


def test_an_unknown_name_is_answered_with_the_models_that_are_served() -> None:
    found = table([playground("a", "qwen"), playground("b", "opt")], [])
    assert found.find("gpt") == UnknownName(("opt", "qwen"))


def test_engines_that_are_not_ready_get_no_requests() -> None:
    found = table([playground("a")], [engine("a", "10.0.0.1", ready=False)])
    assert endpoints(found, "qwen") == []


def test_a_model_that_waits_says_why_for_each_playground() -> None:
    found = table([playground("a", waits="0 of 1 nodes fit"), playground("b")], [])
    route = found.find("qwen")
    assert isinstance(route, Route)
    assert route.waits_because == (
        "default/a: 0 of 1 nodes fit; default/b: the controller has not looked at it yet"
    )


def test_a_playground_that_is_still_called_ready_says_that_its_engine_is_gone() -> None:
    found = table([playground("a", waits="Playground is ready", available="True")], [])
    route = found.find("qwen")
    assert isinstance(route, Route)
    assert route.waits_because == (
        "default/a: it was ready a moment ago, and its engine just went away"
    )


def test_a_service_without_a_playground_is_served_too() -> None:
    found = table([], [engine("solo", "10.0.0.1", owner="service")])
    assert endpoints(found, "qwen") == endpoints(found, "default/solo") == ["10.0.0.1:8080"]


def test_slices_of_other_services_are_passed_over() -> None:
    assert table([], [engine("x", "10.0.0.1", owner="nothing-of-ours")]) == Table()


def test_an_ipv6_address_is_bracketed() -> None:
    assert str(Endpoint("fd00::1", 80)) == "[fd00::1]:80"

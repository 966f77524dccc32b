"""Selectors, with the errors of a real server."""

from urllib.parse import unquote, urlsplit

import pytest

from llmaz.local.objects.selectors import SelectorError, parse_fields, parse_labels
from llmaz.local.objects.values import Json, Object
from support.objects import recorded

GOLD = {"tier": "gold", "idx": "2", "example.io/x": ""}


def recorded_selections(kind: str) -> list[tuple[str, Object]]:
    """Return the selectors of the recorded lists, with their answers."""
    found = []
    for step in recorded("07-list"):
        name, _, selector = urlsplit(step["request"]["path"]).query.partition("=")
        if name == kind and step["request"]["accept"] == "application/json":
            found.append((unquote(selector), step["response"]))
    return found


def everything() -> list[Object]:
    items: list[Object] = recorded("07-list")[12]["response"]["body"]["items"]
    return items


@pytest.mark.parametrize(("selector", "response"), recorded_selections("labelSelector"))
def test_a_recorded_label_selector_selects_what_was_recorded(selector: str, response: Json) -> None:
    if response["status"] == 400:
        with pytest.raises(SelectorError) as caught:
            parse_labels(selector)
        assert str(caught.value) == response["body"]["message"]
        return
    test = parse_labels(selector)
    chosen = [item for item in everything() if test(item["metadata"].get("labels", {}))]
    assert chosen == response["body"]["items"]


@pytest.mark.parametrize(("selector", "response"), recorded_selections("fieldSelector"))
def test_a_recorded_field_selector_selects_what_was_recorded(selector: str, response: Json) -> None:
    if response["status"] == 400:
        with pytest.raises(SelectorError) as caught:
            parse_fields(selector, ["spec.node"])
        assert str(caught.value) == response["body"]["message"]
        return
    chosen = [item for item in everything() if parse_fields(selector, ["spec.node"])(item)]
    assert chosen == response["body"]["items"]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("", True),
        ("tier", True),
        ("tier=gold", True),
        ("tier == gold", True),
        ("tier!=gold", False),
        ("absent!=x", True),
        ("!absent,tier", True),
        ("tier in (gold,iron)", True),
        ("tier notin (gold)", False),
        ("absent notin (x)", True),
        ("example.io/x=", True),
        ("example.io/x in (,y)", True),
        ("idx>1,idx<3", True),
        ("idx>2", False),
        ("tier>1", False),
    ],
)
def test_labels_are_selected(selector: str, selected: bool) -> None:
    assert parse_labels(selector)(GOLD) is selected


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a in ()", "unable to parse requirement: values: Invalid value: []: "),
        ("-a", 'unable to parse requirement: <nil>: Invalid value: "-a": name part must consist'),
        ("a=b@", 'unable to parse requirement: values[0][a]: Invalid value: "b@": a valid label'),
        ("a>b", "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt'"),
    ],
)
def test_a_label_selector_that_can_not_be_read_says_where(selector: str, words: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_labels(selector)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("", True),
        ("metadata.name=a,metadata.namespace=default", True),
        ("metadata.name!=a", False),
        ("spec.on=true", True),
        ("spec.absent=", True),
        (r"spec.text=x\,y\=z", True),
    ],
)
def test_fields_are_selected_by_their_text(selector: str, selected: bool) -> None:
    obj = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"on": True, "text": "x,y=z"}}
    assert parse_fields(selector, ["spec.on", "spec.absent", "spec.text"])(obj) is selected


def test_a_field_selector_that_can_not_be_read_says_where() -> None:
    with pytest.raises(SelectorError) as caught:
        parse_fields("metadata.name=a,spec")
    assert str(caught.value) == "invalid selector: 'metadata.name=a,spec'; can't understand 'spec'"


def test_a_built_in_kind_without_own_fields_names_the_two_that_it_has() -> None:
    with pytest.raises(SelectorError) as caught:
        parse_fields("data.x=1", custom=False)
    assert str(caught.value) == (
        '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )

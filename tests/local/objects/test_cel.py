"""Rules of schemas: where they run, what they see and what their errors say."""

import subprocess
import sys

import pytest

from llmaz.local.objects.cel import RuleError, expression, rules_of
from llmaz.local.objects.values import Json
from support.objects import messages, record

INT = {"type": "integer"}
TEXT = {"type": "string"}


def ruled(schema: Json, rule: str, **more: Json) -> Json:
    return {**schema, "x-kubernetes-validations": [{"rule": rule, **more}]}


def broken(schema: Json, value: Json, old: Json = None) -> list[str]:
    """Return the messages of a rule on the field `a`."""
    before = None if old is None else {"a": old}
    return messages(rules_of(record(a=schema)).errors({"a": value}, before))


def test_a_rule_that_holds_says_nothing() -> None:
    assert broken(ruled(INT, "self > 1"), 2) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "a: Invalid value: failed rule: self > 1"),
        ({"message": "too small"}, "a: Invalid value: too small"),
        ({"messageExpression": "'got ' + string(self)"}, "a: Invalid value: got 1"),
        ({"messageExpression": "' '", "message": "m"}, "a: Invalid value: m"),
        ({"messageExpression": "string(1 / 0)", "message": "m"}, "a: Invalid value: m"),
        ({"reason": "FieldValueForbidden", "message": "m"}, "a: Forbidden: m"),
        ({"reason": "FieldValueRequired", "message": "m"}, "a: Required value: m"),
        ({"fieldPath": ".b", "message": "m"}, "a.b: Invalid value: m"),
    ],
)
def test_a_broken_rule_is_told_in_its_own_words(more: Json, message: str) -> None:
    assert broken(ruled(INT, "self > 1", **more), 1) == [message]


def test_a_rule_that_fails_is_an_error_which_says_why() -> None:
    assert broken(ruled(record(), "self.b == 1"), {}) == [
        "a: Invalid value: no such key: b evaluating rule: self.b == 1"
    ]


def test_rules_run_on_every_item_and_every_key() -> None:
    schema = {
        "type": "array",
        "items": {"type": "object", "additionalProperties": ruled(INT, "self > 1")},
    }
    assert broken(schema, [{"x": 2}, {"x": 1}]) == ["a[1][x]: Invalid value: failed rule: self > 1"]


def test_a_rule_at_the_root_sees_the_name_and_nothing_else_of_the_metadata() -> None:
    schema = ruled(record(), "self.metadata.name == 'n' && !has(self.metadata.labels)")
    obj = {"metadata": {"name": "n", "labels": {}}}
    assert messages(rules_of(schema).errors(obj)) == []


def test_absent_optional_fields_are_found_out_with_has() -> None:
    rule = "!has(self.max) || self.min <= self.max"
    schema = ruled(record(min=INT, max=INT), rule)
    assert broken(schema, {"min": 3}) == []
    assert broken(schema, {"min": 3, "max": 2}) == [f"a: Invalid value: failed rule: {rule}"]


def test_a_transition_rule_runs_on_updates_alone() -> None:
    schema = ruled(TEXT, "self == oldSelf", message="is immutable")
    assert broken(schema, "x") == []
    assert broken(schema, "x", "x") == []
    assert broken(schema, "y", "x") == ["a: Invalid value: is immutable"]


def test_an_optional_old_value_lets_a_transition_rule_run_on_creations_too() -> None:
    schema = ruled(INT, "oldSelf.hasValue() || self == 0", optionalOldSelf=True)
    assert broken(schema, 0) == []
    assert broken(schema, 1, 5) == []
    assert len(broken(schema, 1)) == 1


def test_a_transition_rule_on_an_item_compares_it_with_the_item_of_the_same_key() -> None:
    items = ruled(record(name=TEXT, n=INT), "self.n >= oldSelf.n", message="must not shrink")
    schema = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": items,
    }
    old = [{"name": "x", "n": 5}]
    new = [{"name": "y", "n": 1}, {"name": "x", "n": 4}]
    assert broken(schema, new, old) == ["a[1]: Invalid value: must not shrink"]


def test_what_breaks_a_rule_and_has_not_changed_is_forgiven() -> None:
    assert broken(ruled(INT, "self > 1"), 1, 1) == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("namespace", "self.__namespace__ == 'x'"),
        ("a-b", "self.a__dash__b == 'x'"),
        ("a.b", "self.a__dot__b == 'x'"),
        ("a/b", "self.a__slash__b == 'x'"),
        ("a__b", "self.a__underscores__b == 'x'"),
    ],
)
def test_names_that_are_no_identifiers_are_escaped(name: str, rule: str) -> None:
    assert broken(ruled(record(**{name: TEXT}), rule), {name: "x"}) == []


@pytest.mark.parametrize(
    ("schema", "value", "rule"),
    [
        (
            {**TEXT, "format": "date-time"},
            "2026-01-01T00:00:00Z",
            "self < timestamp('2027-01-01T00:00:00Z')",
        ),
        ({**TEXT, "format": "duration"}, "1h30m", "self == duration('90m')"),
        ({**TEXT, "format": "byte"}, "aGk=", "self == b'hi'"),
        ({"type": "number"}, 2, "self * 1.5 == 3.0"),
        ({"x-kubernetes-int-or-string": True}, "80%", "type(self) == string && self.endsWith('%')"),
        ({"x-kubernetes-int-or-string": True}, 80, "type(self) == int && self <= 100"),
        ({"type": "array", "items": {"type": "number"}}, [1], "self[0] < 1.5"),
    ],
)
def test_a_rule_sees_values_of_the_types_that_the_schema_gives_them(
    schema: Json, value: Json, rule: str
) -> None:
    assert broken(ruled(schema, rule), value) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("self ==", "Syntax error"),
        ("nope > 1", "undeclared reference to 'nope' (in container '')"),
        ("nope(self)", "undeclared reference to 'nope' (in container '')"),
        ("math.nope(1)", "undeclared reference to 'math.nope' (in container '')"),
    ],
)
def test_a_rule_that_does_not_compile_says_why(rule: str, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        expression(rule)
    assert str(caught.value).startswith("compilation failed: ERROR: <input>:1:")
    assert words in str(caught.value)


def test_the_evaluator_comes_without_an_interactive_prompt() -> None:
    program = "import sys, llmaz.local.objects.cel; sys.exit('prompt_toolkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

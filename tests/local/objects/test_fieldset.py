"""FieldsV1 and back, and paths as conflicts show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.local.objects.fieldset import below, decoded, encoded, shown
from llmaz.local.objects.values import Json

STEPS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0"])
SETS = st.frozensets(st.lists(STEPS, min_size=1, max_size=4).map(tuple))


@given(SETS)
def test_a_set_is_the_same_after_it_was_written_and_read(
    fields: frozenset[tuple[str, ...]],
) -> None:
    assert decoded(encoded(fields)) == fields


def test_a_member_with_something_below_it_says_so_with_a_dot() -> None:
    fields = frozenset({("f:a",), ("f:a", "f:b"), ("f:c", "f:d")})
    assert encoded(fields) == {"f:a": {".": {}, "f:b": {}}, "f:c": {"f:d": {}}}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:x", 'k:{"name":"a10"}', "f:gpus"), '.x[name="a10"].gpus'),
        (("f:x", 'k:{"port":80,"protocol":"TCP"}'), '.x[port=80,protocol="TCP"]'),
        (("f:x", 'v:"y"'), '.x[="y"]'),
        (("f:x", "i:0"), ".x[0]"),
        (("f:x", "k:{"), ".x[{]"),
        (("f:x", "k:[1]"), ".x[[1]]"),
    ],
)
def test_a_path_is_shown_as_the_server_shows_it(path: tuple[str, ...], text: str) -> None:
    assert shown(path) == text


def test_what_lies_below_a_step_begins_there() -> None:
    fields: Json = {("f:a", "f:b"), ("f:a",), ("f:c", "f:d")}
    assert below(fields, "f:a") == {("f:b",)}

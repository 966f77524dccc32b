"""The codec: what is read, what is refused and where, what is written."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.fields import STRINGLY, bounds, formerly, named
from llmaz.api.manifest import ManifestError, decode, encode
from llmaz.api.quantity import Quantity


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    spokes: int = field(default=32, metadata=bounds(minimum=8, maximum=64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bicycle:
    frame_id: str = field(metadata=named("frameID"))
    wheels: tuple[Wheel, ...] = field(default=(), metadata=bounds(longest=2))
    colour: Colour = Colour.RED
    gears: Literal["hub", "chain"] | None = None
    bags: Mapping[str, str] = field(default_factory=dict, metadata=STRINGLY)
    load: Quantity | None = field(default=None, metadata=formerly("weight"))
    size: int | str = 0
    mass: float = 0.0
    electric: bool = False
    bought: datetime | None = None
    owners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    LENIENT: ClassVar = True
    name: str = ""


def test_names_are_camel_case_but_for_those_that_say_otherwise() -> None:
    assert encode(Bicycle(frame_id="x", wheels=(Wheel(spokes=8),))) == {
        "frameID": "x",
        "wheels": [{"spokes": 8}],
    }


@pytest.mark.parametrize(
    ("manifest", "path", "reason"),
    [
        ({}, "frameID", "is required"),
        ({"frameID": None}, "frameID", "is required"),
        ({"frameID": 1}, "frameID", "must be a string, not an integer"),
        ({"frameID": "x", "frameId": "x"}, "frameId", "unknown field; known are bags, bought, "),
        ({"frameID": "x", "wheels": {}}, "wheels", "must be a list, not an object"),
        ({"frameID": "x", "wheels": [{}, {}, {}]}, "wheels", "must have at most 2 items, not 3"),
        ({"frameID": "x", "wheels": [{}, 1]}, "wheels[1]", "must be an object, not an integer"),
        ({"frameID": "x", "wheels": [{"spokes": 7}]}, "wheels[0].spokes", "must be at least 8"),
        ({"frameID": "x", "wheels": [{"spokes": 65}]}, "wheels[0].spokes", "must be at most 64"),
        ({"frameID": "x", "wheels": [{"spokes": True}]}, "wheels[0].spokes", "must be an integer"),
        ({"frameID": "x", "wheels": [{"spokes": 9.5}]}, "wheels[0].spokes", "must be an integer"),
        ({"frameID": "x", "colour": "blue"}, "colour", "must be one of red, not 'blue'"),
        ({"frameID": "x", "colour": ["red"]}, "colour", "must be one of red"),
        ({"frameID": "x", "gears": "none"}, "gears", "must be one of hub, chain, not 'none'"),
        ({"frameID": "x", "bags": {"left": []}}, "bags.left", "must be a string, not a list"),
        ({"frameID": "x", "load": "heavy"}, "load", "'heavy' is not a quantity"),
        ({"frameID": "x", "load": True}, "load", "must be a quantity"),
        ({"frameID": "x", "weight": "heavy"}, "weight", "'heavy' is not a quantity"),
        ({"frameID": "x", "load": 1, "weight": 1}, "weight", "is the older name of load"),
        ({"frameID": "x", "size": []}, "size", "must be an integer or a string"),
        ({"frameID": "x", "size": True}, "size", "must be an integer or a string"),
        ({"frameID": "x", "mass": "5"}, "mass", "must be a number, not a string"),
        ({"frameID": "x", "electric": "yes"}, "electric", "must be true or false, not a string"),
        ({"frameID": "x", "bought": "today"}, "bought", "must be a date and time such as"),
        ({"frameID": "x", "bought": 5}, "bought", "must be a string, not an integer"),
    ],
)
def test_a_refusal_says_where_and_what(manifest: object, path: str, reason: str) -> None:
    with pytest.raises(ManifestError) as refused:
        decode(Bicycle, manifest)
    assert refused.value.path == path
    assert refused.value.reason.startswith(reason)


@pytest.mark.parametrize("manifest", [None, 1, "x", [], True])
def test_what_is_no_object_is_refused(manifest: object) -> None:
    with pytest.raises(ManifestError, match="must be an object"):
        decode(Bicycle, manifest)


def test_numbers_and_booleans_become_text_where_text_is_wanted() -> None:
    read = decode(Bicycle, {"frameID": "x", "bags": {"left": True, "right": 5, "front": "big"}})
    assert read.bags == {"left": "true", "right": "5", "front": "big"}


def test_a_whole_number_is_read_where_a_fraction_may_stand() -> None:
    assert decode(Bicycle, {"frameID": "x", "mass": 12}).mass == 12.0


def test_null_is_the_same_as_nothing() -> None:
    assert decode(Bicycle, {"frameID": "x", "load": None}) == Bicycle(frame_id="x")


def test_unknown_fields_pass_where_another_api_may_add_some() -> None:
    assert decode(Loose, {"name": "x", "managedFields": []}) == Loose(name="x")


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T13:00:00+01:00",
        "2026-01-31T12:00:00",
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        datetime(2026, 1, 31, 12),  # noqa: DTZ001  # as a YAML reader gives it
        datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_moments_are_read_as_text_or_as_yaml_reads_them(moment: object) -> None:
    read = decode(Bicycle, {"frameID": "x", "bought": moment})
    assert read.bought == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert encode(read) == {"frameID": "x", "bought": "2026-01-31T12:00:00Z"}


bicycles = st.builds(
    Bicycle,
    frame_id=st.text(),
    wheels=st.lists(st.builds(Wheel, spokes=st.integers(8, 64)), max_size=2).map(tuple),
    gears=st.sampled_from([None, "hub", "chain"]),
    bags=st.dictionaries(st.text(), st.text()),
    load=st.none() | st.integers(0, 10**9).map(lambda amount: Quantity(f"{amount}Mi")),
    size=st.integers() | st.text(),
    mass=st.floats(allow_nan=False),
    electric=st.booleans(),
    bought=st.none()
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)),
    owners=st.frozensets(st.text()),
)


@given(bicycles)
def test_what_is_written_is_read_as_the_same(bicycle: Bicycle) -> None:
    assert decode(Bicycle, encode(bicycle)) == bicycle


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["frameID", "wheels", "spokes", "bags", "load", "bought"]), inner
            )
        ),
    )
)
def test_anything_is_either_read_or_refused(manifest: object) -> None:
    with contextlib.suppress(ManifestError):
        assert isinstance(decode(Bicycle, manifest), Bicycle)

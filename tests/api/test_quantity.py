"""Quantities are compared by value and written as they were."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.manifest import ManifestError
from llmaz.api.quantity import Quantity, in_words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("5", 5),
        ("+5", 5),
        ("-5", -5),
        (".5", Decimal("0.5")),
        ("5.", 5),
        ("500m", Decimal("0.5")),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 1610612736),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("2Ei", 2**61),
        ("100n", Decimal("1e-7")),
        ("3u", Decimal("3e-6")),
    ],
)
def test_it_means(text: str, value: Decimal) -> None:
    assert Quantity(text).value == value


@pytest.mark.parametrize("text", ["", "Gi", "1GiB", "1 Gi", "0x10", "1e", "1\n", "NaN"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        Quantity(text)


def test_an_amount_that_would_fill_the_memory_with_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="is too large"):
        Quantity("1e999999999")


def test_equal_amounts_are_equal_however_they_are_written() -> None:
    assert Quantity("1") == Quantity("1000m")
    assert hash(Quantity("1Gi")) == hash(Quantity("1024Mi"))
    assert Quantity("8G") < Quantity("8Gi")


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_what_is_no_scalar_is_refused_with_its_path(value: bool | list[str] | None) -> None:
    with pytest.raises(ManifestError, match=r"spec\.x: must be a quantity"):
        Quantity.from_json(value, "spec.x")  # type: ignore[arg-type]  # empty containers are JSON


def test_whole_numbers_stay_numbers_and_text_stays_text() -> None:
    assert Quantity.from_json(8, "").to_json() == 8
    assert Quantity.from_json("0.5", "").to_json() == "0.5"
    assert Quantity.from_json("8Gi", "").to_json() == "8Gi"
    assert Quantity.from_json(0.5, "").value == Decimal("0.5")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (1023, "1023"), (1024, "1Ki"), (3 * 2**30, "3Gi"), (10**9, "1000000000")],
)
def test_bytes_are_written_with_the_largest_suffix_that_loses_nothing(
    amount: int, text: str
) -> None:
    assert str(Quantity.of_bytes(amount)) == text


@given(st.integers(0, 2**70))
def test_bytes_are_never_rounded(amount: int) -> None:
    assert int(Quantity.of_bytes(amount)) == amount


@given(st.integers(-(10**12), 10**12), st.sampled_from(["", "m", "k", "Mi", "G", "Ti"]))
def test_order_is_the_order_of_values(amount: int, suffix: str) -> None:
    assert Quantity(f"{amount}{suffix}") < Quantity(f"{amount + 1}{suffix}")


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (1023, "1023"), (1536, "1.5Ki"), (16_429_023_232, "15.3Gi")]
)
def test_bytes_are_written_for_people(amount: int, text: str) -> None:
    assert in_words(amount) == text

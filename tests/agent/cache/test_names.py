"""Which names from outside may become names of files."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.cache.names import first_unsafe, why_unsafe


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "a\0b",
        "a\\..\\b",
        "a\nb",
        "x" * 256,
        "é" * 128,
        "/".join("x" * 200 for _ in range(20)),
        "a//b",
        "a/",
        ".",
        "a/./b",
        "",
        "\ud800",
    ],
    ids=lambda name: ascii(name)[:30],
)
def test_a_name_that_leads_out_or_cannot_be_is_refused(name: str) -> None:
    assert why_unsafe(name) is not None


@pytest.mark.parametrize(
    "name", ["model.gguf", "a/b/c.json", ".gitattributes", "..a/b..", "modèle 1.bin", "refs/main"]
)
def test_other_names_are_kept(name: str) -> None:
    assert why_unsafe(name) is None


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("x/a/b", "x/a")])
def test_names_that_take_each_others_place_are_refused(names: tuple[str, ...]) -> None:
    assert first_unsafe(names) is not None


def test_names_that_differ_in_case_are_two() -> None:
    assert first_unsafe(("a", "A", "b/c", "b/C")) is None


@given(st.text(alphabet="a./\\\0\n~é", max_size=12))
def test_no_name_that_is_kept_leads_out(name: str) -> None:
    if why_unsafe(name) is None:
        parts = name.split("/")
        assert ".." not in parts
        assert all(parts)
        assert "\0" not in name


def test_of_a_hundred_thousand_random_names_none_that_is_kept_leads_out() -> None:
    seed = 20261123
    signs = random.Random(seed)
    parts = ["..", ".", "", "a", "~", "a\0", "\\", "é", "x" * 256, "\ud800", "/", "C:", "a\n"]
    for _ in range(100_000):
        name = "/".join(signs.choices(parts, k=signs.randint(1, 4)))
        if why_unsafe(name) is None:
            kept = name.split("/")
            assert not {"..", ".", ""} & set(kept), (seed, name)
            assert max(map(len, kept)) <= 255, (seed, name)
            assert not set(name) & set("\0\n\\"), (seed, name)


def test_a_million_names_are_looked_at_one_by_one() -> None:
    assert first_unsafe(f"{at % 1000}/{at}" for at in range(1_000_000)) is None

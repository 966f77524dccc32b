"""Which bytes a `Range` header asks for."""

import pytest

from llmaz.agent.mirror.ranges import Unsatisfiable, wanted_range


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=2-99", (2, 10)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=" + "9" * 30 + "-", None),
    ],
)
def test_one_range_is_read_and_all_else_is_the_whole_file(
    header: str | None, span: tuple[int, int] | None
) -> None:
    assert wanted_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_beyond_the_end_can_not_be_given(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        wanted_range(header, 10)

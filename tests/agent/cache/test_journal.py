"""What can be believed of a journal after a kill, and after a crash of the machine."""

from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.cache.journal import replayed

HEAD = "size 100\nboot a\n"


def _there(text: str, *, boot: str = "a", size: int = 100) -> tuple[tuple[int, int], ...]:
    return replayed(text, size=size, boot=boot).there


def test_after_a_kill_all_that_was_written_counts() -> None:
    assert _there(HEAD + "0 10\n20 30\n10 20\n") == ((0, 30),)


def test_after_a_crash_only_what_was_flushed_counts() -> None:
    text = HEAD + "0 10\n10 20\nflushed 3\n20 30\n"
    assert _there(text, boot="b") == ((0, 10),)
    assert _there(text + "boot b\n40 50\n", boot="b") == ((0, 10), (40, 50))


def test_a_torn_line_ends_what_counts_and_is_written_over() -> None:
    text = HEAD + "0 10\n20 3"
    found = replayed(text, size=100, boot="a")
    assert found.there == ((0, 10),)
    assert text[: found.length] == HEAD + "0 10\n"


def test_a_journal_of_another_size_says_nothing() -> None:
    found = replayed(HEAD + "0 10\n", size=99, boot="a")
    assert (found.there, found.length) == ((), 0)


def test_what_cannot_be_ends_what_counts() -> None:
    assert _there(HEAD + "0 10\n90 101\n20 30\n") == ((0, 10),)
    assert _there(HEAD + "0 10\nnonsense\n20 30\n") == ((0, 10),)


@given(st.text(alphabet="size bootflhd0123456789\n", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    found = replayed(text, size=100, boot="a")
    assert all(0 <= start < end <= 100 for start, end in found.there)
    assert found.length <= len(text)


def test_what_was_written_and_can_not_be_believed_is_counted() -> None:
    text = HEAD + "0 10\n10 20\nflushed 3\n20 35\n"
    assert replayed(text, size=100, boot="a").doubted == 0
    assert replayed(text, size=100, boot="b").doubted == 25
    assert replayed(text + "boot b\n10 35\n", size=100, boot="b").doubted == 0

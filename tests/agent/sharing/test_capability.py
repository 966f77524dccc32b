"""What opens a blob to a peer, and what does not."""

import pytest

from llmaz.agent.sharing.capability import Token, authorization, node_of, read_tokens, why_refused

TOKEN = Token(b"0123456789abcdef")
NOW = 1_000_000.0


def _refusal(header: str | None, *, what: str = "a" * 64, now: float = NOW) -> str | None:
    return why_refused([TOKEN], header, what=what, now=now)


def test_a_capability_opens_its_own_blob_for_a_while() -> None:
    header = authorization(TOKEN, what="a" * 64, node="node-1", now=NOW)
    assert _refusal(header) is None
    assert _refusal(header, now=NOW + 60) is None
    assert node_of(header) == "node-1"


def test_it_opens_nothing_else_and_not_for_ever() -> None:
    header = authorization(TOKEN, what="a" * 64, node="node-1", now=NOW)
    assert "something else" in (_refusal(header, what="b" * 64) or "")
    assert "expired" in (_refusal(header, now=NOW + 600) or "")
    assert "expired" in (_refusal(header, now=NOW - 600) or "")
    assert "something else" in (_refusal(header.replace("node-1", "node-2")) or "")


def test_another_token_opens_nothing() -> None:
    other = Token(b"fedcba9876543210")
    header = authorization(other, what="a" * 64, node="node-1", now=NOW)
    assert _refusal(header) is not None


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "Bearer x", "Llmaz a b c", "Llmaz a ² d", "Llmaz  1 é"),
        *("Llmaz a 1 \udcff", "Llmaz \udcff 1 a"),
    ],
)
def test_what_is_no_capability_is_refused(header: str | None) -> None:
    assert _refusal(header) is not None


def test_a_token_that_can_be_guessed_is_refused_and_none_is_shown() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        read_tokens(b"short\n")
    with pytest.raises(ValueError, match="at least 16"):
        read_tokens(b"0123456789abcdef\nshort\n")
    with pytest.raises(ValueError, match="at least 16"):
        read_tokens(b"\n")
    assert "0123456789" not in repr(read_tokens(b"0123456789abcdef\n"))


def test_a_node_answers_to_each_token_of_its_file_while_they_change() -> None:
    former, later = Token(b"0123456789abcdef"), Token(b"fedcba9876543210")
    both = read_tokens(b"fedcba9876543210\n\n0123456789abcdef\n")
    assert both == (later, former)
    for token in both:
        header = authorization(token, what="a" * 64, node="node-1", now=NOW)
        assert why_refused(both, header, what="a" * 64, now=NOW) is None
    stranger = authorization(Token(b"x" * 16), what="a" * 64, node="node-1", now=NOW)
    assert why_refused(both, stranger, what="a" * 64, now=NOW) is not None

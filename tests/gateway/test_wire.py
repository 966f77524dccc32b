"""How answers of engines are framed: every way of cutting them up gives the same body."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.gateway.wire import Body, Chunked, Endless, Head, Sized, WireError, body_of, read_head


def head(*lines: str, first: str = "HTTP/1.1 200 OK") -> Head:
    return read_head("\r\n".join((first, *lines)).encode())


def taken(body: Body, *pieces: bytes) -> bytes:
    return b"".join(body.take(piece) for piece in pieces)


def test_a_head_is_read_as_it_was_written() -> None:
    found = head("Content-Type: text/plain", "X-Two:  words here ", "content-length: 3")
    assert (found.status, found.reason, found.length, found.chunked) == (200, b"OK", 3, False)
    assert found.headers[1] == (b"X-Two", b"words here")
    assert found.content_type == b"text/plain"
    assert found.lasting


@pytest.mark.parametrize(
    ("first", "line"),
    [
        ("HTTP/1.0 200 OK", "A: b"),
        ("HTTP/1.1 200 OK", "Connection: close"),
        ("HTTP/1.1 200 OK", "Connection: X-Own , Close\r\nConnection: keep-alive"),
    ],
)
def test_a_connection_that_ends_with_its_answer_is_not_used_again(first: str, line: str) -> None:
    assert not head(line, first=first).lasting


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_never_has_a_body_has_none(status: int) -> None:
    body = body_of(head("Content-Length: 5", first=f"HTTP/1.1 {status} x"))
    assert body.over


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: +3"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding:", "Content-Length: 3"],
        ["Transfer-Encoding:", "Content-Length: 3"],
        ["Transfer-Encoding\x0b: chunked"],
        ["Two words: value"],
        ["no colon"],
        [" folded: line"],
        ["Name : value"],
        ["Name: one\rtwo"],
        ["Name: one\ntwo"],
    ],
)
def test_a_head_that_two_readers_may_understand_differently_is_refused(lines: list[str]) -> None:
    with pytest.raises(WireError):
        head(*lines)


@pytest.mark.parametrize(
    "first", ["HTTP/2 200 OK", "HTTP/1.1 20 OK", "hello", "HTTP/1.1 200 a\nb", "HTTP/1.1 101 OK"]
)
def test_what_does_not_begin_as_an_answer_is_refused(first: str) -> None:
    with pytest.raises(WireError):
        head(first=first)


def test_chunks_win_over_a_length() -> None:
    assert isinstance(body_of(head("Content-Length: 3", "Transfer-Encoding: chunked")), Chunked)
    assert isinstance(body_of(head()), Endless)


def test_what_follows_a_body_of_known_length_is_not_its_own() -> None:
    body = Sized(3)
    assert (taken(body, b"a", b"bcd"), body.over, body.clean) == (b"abc", True, False)


CHUNKED = b"3\r\nabc\r\nA;name=1\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=8))
def test_chunks_are_read_however_they_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CHUNKED)]
    body = Chunked()
    pieces = [CHUNKED[a:b] for a, b in pairwise(edges)]
    assert taken(body, *pieces) == b"abc0123456789"
    assert (body.over, body.clean) == (True, True)


def test_bytes_behind_the_last_chunk_are_noticed() -> None:
    body = Chunked()
    assert body.take(b"1\r\na\r\n0\r\n\r\nHTTP/1.1") == b"a"
    assert (body.over, body.clean) == (True, False)


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"+1\r\n", b"-1\r\n", b"0x1\r\n", b"1\r\nab\r\n", b"\r\n", b"1" * 9000]
)
def test_chunks_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        Chunked().take(data)

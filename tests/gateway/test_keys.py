"""Keys that clients must show: who gets in, and what a change of the file does."""

from pathlib import Path

import pytest

from llmaz.gateway.answers import OpenAIError
from llmaz.gateway.keys import Keys


def is_let_in(keys: Keys, authorization: str) -> bool:
    try:
        keys.check(authorization)
    except OpenAIError:
        return False
    return True


def test_a_client_is_told_that_a_key_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("sk-one")
    with pytest.raises(OpenAIError) as refused:
        Keys(tmp_path / "keys").check("Bearer sk-two")
    assert (refused.value.status, refused.value.error["code"]) == (401, "invalid_api_key")
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


def test_without_a_file_everybody_is_let_in() -> None:
    assert is_let_in(Keys(None), "")


def test_a_key_of_the_file_is_let_in_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# of the team\nsk-one\n\n  sk-two  \n")
    keys = Keys(path)
    assert is_let_in(keys, "Bearer sk-one")
    assert is_let_in(keys, "bearer sk-two")
    wrong = ("", "Bearer", "Bearer ", "Bearer # of the team", "sk-one", "Basic sk-one")
    for shown in (*wrong, "Bearer \udcff"):  # a byte that is no text
        assert not is_let_in(keys, shown)


def test_a_key_that_is_added_or_taken_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("sk-one\n")
    keys = Keys(path)
    assert is_let_in(keys, "Bearer sk-one")
    later = tmp_path / "later"
    later.write_text("sk-another\n")
    later.replace(path)
    assert not is_let_in(keys, "Bearer sk-one")
    assert is_let_in(keys, "Bearer sk-another")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_lets_nobody_in_until_it_can(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    keys = Keys(path)
    assert not is_let_in(keys, "Bearer ")
    path.unlink(missing_ok=True)
    path.write_text("sk-one\n")
    assert is_let_in(keys, "Bearer sk-one")

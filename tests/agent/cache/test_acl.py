"""Who may read a repository's tree."""

from pathlib import Path

import pytest

from llmaz.agent.cache.acl import Acl, Visibility, read_acl_text, write_acl_text
from llmaz.agent.cache.aclfile import read_acl, write_acl


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    acl = Acl(visibility=Visibility.GATED, proven=("0a", "0b"))
    assert read_acl_text(write_acl_text(acl)) == acl
    write_acl(tmp_path, acl)
    assert read_acl(tmp_path) == acl


@pytest.mark.parametrize("text", ["", "{", "[]", '{"visibility": "everybody"}', '{"proven": 1}'])
def test_a_record_that_makes_no_sense_gives_no_right(text: str) -> None:
    assert read_acl_text(text) == Acl()


def test_without_a_record_there_is_no_right(tmp_path: Path) -> None:
    assert read_acl(tmp_path).visibility is Visibility.UNKNOWN

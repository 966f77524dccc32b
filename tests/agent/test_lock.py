"""One agent on a state directory."""

from pathlib import Path

import pytest

from llmaz.agent.lock import LockedError, held, holding_cache


def test_a_second_agent_is_told_that_there_is_one(tmp_path: Path) -> None:
    with (
        held(tmp_path / "state"),
        pytest.raises(LockedError, match="another llmaz-agent is running on it"),
        held(tmp_path / "state", wait_seconds=0.0),
    ):
        pass


def test_a_directory_that_was_let_go_can_be_held_again(tmp_path: Path) -> None:
    for _ in range(2):
        with held(tmp_path, wait_seconds=0.0):
            pass


def test_a_cache_directory_is_held_by_one_agent(tmp_path: Path) -> None:
    with (
        holding_cache(tmp_path / "cache"),
        pytest.raises(LockedError, match="cache: another llmaz-agent is running on it"),
        held(tmp_path / "cache", wait_seconds=0.0),
    ):
        pass


def test_a_cache_that_can_not_be_written_keeps_no_agent_from_its_engines(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with holding_cache(tmp_path / "file" / "cache"):
        pass

"""An engine's record on disk."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmaz.agent.engines import record
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.record import EngineRecord, Stopping
from llmaz.agent.engines.state import Fault
from llmaz.api.node import AssignedEngine
from llmaz.api.pod import EnvVar, EnvVarSource, KeySelector
from llmaz.shim.crash import Effects

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NO_CRASH = Effects("agent", "")
SECRET = EnvVarSource(secret_key_ref=KeySelector(name="hub", key="token"))
RECORD = EngineRecord(
    assignment=AssignedEngine(
        id="default/chat-0",
        service="chat",
        model="qwen",
        main_model="qwen",
        env=(EnvVar(name="TOKEN", value_from=SECRET),),
    ),
    fingerprint="f",
    port=20000,
    failures=2,
    fault=Fault(reason="Error", message="exited with code 1"),
    ended_at=NOW,
    stopping=Stopping(since=NOW, reason="no longer assigned", drained=True, within=2.5),
)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record.write(tmp_path, RECORD, NO_CRASH)
    assert record.read(tmp_path) == RECORD


def test_what_a_newer_agent_added_is_passed_over(tmp_path: Path) -> None:
    record.write(tmp_path, RECORD, NO_CRASH)
    kept = json.loads((tmp_path / record.FILE).read_text())
    kept["novelty"] = kept["assignment"]["novelty"] = {"x": 1}
    kept["assignment"]["env"][0]["novelty"] = [1]
    (tmp_path / record.FILE).write_text(json.dumps(kept))
    assert record.read(tmp_path) == RECORD


def test_what_is_no_record_is_none(tmp_path: Path) -> None:
    assert record.read(tmp_path) is None
    for text in ("", "{", "[]", '{"assignment": {}}'):
        (tmp_path / record.FILE).write_text(text)
        assert record.read(tmp_path) is None


@pytest.mark.parametrize("spoiled", [b"", b"{", b"[]", b"\xff", b'{"assignment": {}}'])
def test_instead_of_a_spoiled_record_the_one_before_is_read(tmp_path: Path, spoiled: bytes) -> None:
    record.write(tmp_path, RECORD, NO_CRASH)
    record.write(tmp_path, dataclasses.replace(RECORD, failures=3), NO_CRASH)
    record.write(tmp_path, dataclasses.replace(RECORD, failures=4), NO_CRASH)
    (tmp_path / record.FILE).write_bytes(spoiled)
    assert record.read(tmp_path) == dataclasses.replace(RECORD, failures=3)
    record.write(tmp_path, RECORD, NO_CRASH)
    assert record.read(tmp_path) == RECORD


def test_a_record_that_the_disk_does_not_give_back_is_spoiled(tmp_path: Path) -> None:
    record.write(tmp_path, RECORD, NO_CRASH)
    record.write(tmp_path, RECORD, NO_CRASH)
    (tmp_path / record.FILE).unlink()
    (tmp_path / record.FILE).symlink_to("/proc/self/mem")  # whose first byte is an I/O error
    assert record.read(tmp_path) == RECORD


def test_a_record_that_cannot_be_opened_is_not_taken_for_spoiled(tmp_path: Path) -> None:
    record.write(tmp_path, RECORD, NO_CRASH)
    (tmp_path / record.FILE).unlink()
    (tmp_path / record.FILE).mkdir()
    with pytest.raises(IsADirectoryError):
        record.read(tmp_path)


def test_a_record_that_was_removed_is_gone_whatever_there_was_before(tmp_path: Path) -> None:
    record.write(tmp_path, RECORD, NO_CRASH)
    record.write(tmp_path, RECORD, NO_CRASH)
    (tmp_path / record.FILE).unlink()
    assert record.read(tmp_path) is None


def test_the_record_of_a_removed_engine_is_gone(tmp_path: Path) -> None:
    directory = record.directory_of(tmp_path, "default/chat-0")
    directory.mkdir()
    record.write(directory, RECORD, NO_CRASH)
    record.remove(directory, NO_CRASH)
    record.remove(directory, NO_CRASH)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine_id", ["", "chat", "../etc/x", "a/..", "a/b/c", "A/b", "a_b/c"])
def test_an_id_that_could_leave_the_directory_is_refused(tmp_path: Path, engine_id: str) -> None:
    with pytest.raises(EngineError, match="is not an engine's id"):
        record.directory_of(tmp_path, engine_id)


def test_two_engines_never_share_a_directory(tmp_path: Path) -> None:
    assert record.directory_of(tmp_path, "a-b/c").name == "a-b_c"
    assert record.directory_of(tmp_path, "a/b-c").name == "a_b-c"

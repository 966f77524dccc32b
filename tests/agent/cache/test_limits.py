"""What a cache may take is noted beside it."""

from pathlib import Path

from llmaz.agent.cache.limits import RESERVE_BYTES, Limits, read_limits, write_limits


def test_whoever_fetches_beside_the_agent_reads_its_limits(tmp_path: Path) -> None:
    for limits in (Limits(quota=5, reserve=7), Limits(quota=None, reserve=0)):
        write_limits(tmp_path, limits)
        assert read_limits(tmp_path) == limits


def test_without_a_note_or_with_nonsense_the_defaults_hold(tmp_path: Path) -> None:
    assert read_limits(tmp_path / "none") == Limits(reserve=RESERVE_BYTES)
    for nonsense in ("", "[]", "3", "{}", '{"quota": "much", "reserve": "some"}'):
        (tmp_path / "limits.json").write_text(nonsense)
        assert read_limits(tmp_path) == Limits()

"""The digests of a file's chunks stay as long as the file does."""

from pathlib import Path

from llmaz.agent.cache.chunkmap import drop_chunkmaps, read_chunkmap, write_chunkmap

DIGESTS = ["d" * 64]


def test_digests_go_with_the_file_under_whatever_key_it_was_fetched(tmp_path: Path) -> None:
    for key, sha256 in (("a" * 64, "a" * 64), ("b" * 64, "a" * 64), ("c" * 64, "c" * 64)):
        write_chunkmap(tmp_path, key, 10, sha256, DIGESTS)
    drop_chunkmaps(tmp_path, {"a" * 64})
    assert read_chunkmap(tmp_path, "a" * 64) is None
    assert read_chunkmap(tmp_path, "b" * 64) is None
    assert read_chunkmap(tmp_path, "c" * 64) is not None


def test_where_there_are_none_nothing_goes(tmp_path: Path) -> None:
    drop_chunkmaps(tmp_path, {"a" * 64})
    assert list(tmp_path.iterdir()) == []

"""An engine's output: its end in memory, its files rotated, its former runs kept."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.shim.output import Output
from llmaz.shim.protocol import TAIL_BYTES


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    former = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(former)


def written(output: Output, sink: int, *chunks: bytes) -> None:
    for chunk in chunks:
        os.write(sink, chunk)
        output.pump()


def run(output: Output, *chunks: bytes) -> None:
    sink = output.begin()
    written(output, sink, *chunks)
    os.close(sink)
    output.close()


def test_the_end_of_the_output_is_kept_in_memory(here: Path) -> None:
    output = Output()
    run(output, *[b"x" * 60000, b"y" * 60000, b"end"])
    assert len(output.tail()) == TAIL_BYTES
    assert output.tail().endswith("yend")


def test_this_run_and_the_two_before_are_kept(here: Path) -> None:
    output = Output()
    for text in (b"one", b"two", b"three", b"four"):
        run(output, text)
    assert {path.name: path.read_text() for path in here.iterdir()} == {
        "engine.log": "four",
        "engine.1.log": "three",
        "engine.2.log": "two",
    }


def test_a_file_that_grows_too_large_is_rotated(here: Path) -> None:
    output = Output(rotate_bytes=10)
    run(output, b"aaaaaa", b"bbbbbb", b"cccccc")
    assert (here / "engine.log").read_text() == "cccccc"
    assert (here / "engine.log.old").read_text() == "bbbbbb"


def test_a_range_is_counted_from_the_start_of_the_run(here: Path) -> None:
    output = Output(rotate_bytes=10)
    sink = output.begin()
    written(output, sink, b"aaaaaa", b"bbbbbb", b"cccccc")
    assert output.read(0, 8, 6) == {"offset": 8, "next": 14, "end": 18, "text": "bbbbcc"}
    assert output.read(0, 0, 100) == {
        "offset": 6,
        "next": 18,
        "end": 18,
        "text": "bbbbbbcccccc",
    }
    os.close(sink)
    output.close()


def test_a_former_run_can_be_read(here: Path) -> None:
    output = Output()
    run(output, b"one")
    run(output, b"two")
    assert output.read(1, 0, 100)["text"] == "one"

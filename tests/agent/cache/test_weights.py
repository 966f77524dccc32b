"""What counts as a model, and what is said of what does not."""

import struct
from pathlib import Path

import pytest

from llmaz.agent.cache.weights import complaint
from support.smollm2 import SMOLLM2
from support.weights import gguf, safetensors


def _file(directory: Path, name: str, data: bytes) -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


def test_a_real_model_is_one() -> None:
    assert complaint(SMOLLM2) is None


@pytest.mark.parametrize(
    ("name", "data"),
    [("m.gguf", gguf(tensors=3)), ("m.safetensors", safetensors()), ("m.bin", b"pickled")],
)
def test_a_whole_file_of_weights_is_a_model(name: str, data: bytes, tmp_path: Path) -> None:
    assert complaint(_file(tmp_path, name, data)) is None


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("m.gguf", b"just text", "is no GGUF file: it begins with b'just', not b'GGUF'"),
        ("m.gguf", b"", "is empty"),
        ("m.gguf", gguf()[:40], "its header is cut short"),
        ("m.gguf", gguf(tensors=3)[:-120], "is cut short: "),
        ("m.gguf", gguf(tensors=0), "it holds no tensors"),
        ("m.gguf", b"GGUF" + struct.pack("<IQQ", 1, 1, 0), "version 1; 2 and 3 can be read"),
        ("m.gguf", b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "is too large"),
        ("m.safetensors", b"text", "shorter than the header's length"),
        ("m.safetensors", b"just some long text", "is no safetensors file"),
        ("m.safetensors", safetensors()[:-1], "is cut short: "),
        ("m.safetensors", struct.pack("<Q", 4) + b"[1,]", "its header can't be read"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_words(
    name: str, data: bytes, words: str, tmp_path: Path
) -> None:
    said = complaint(_file(tmp_path, name, data))
    assert said is not None
    assert words in said


def test_a_directory_is_a_model_when_its_files_are(tmp_path: Path) -> None:
    _file(tmp_path, "model-1.safetensors", safetensors())
    assert complaint(tmp_path) is None
    _file(tmp_path, "model-2.safetensors", safetensors()[:-1])
    assert "model-2.safetensors is cut short" in (complaint(tmp_path) or "")


def test_an_empty_directory_is_no_model(tmp_path: Path) -> None:
    assert "holds no weights" in (complaint(tmp_path) or "")


def test_a_device_is_no_model() -> None:
    assert complaint(Path("/dev/null")) == "/dev/null is neither a file nor a directory"

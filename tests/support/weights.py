"""Builds small files in the formats of real weights."""

import json
import struct


def gguf(*, tensors: int = 1, padding: int = 64) -> bytes:
    """Return a GGUF file with metadata of several types, and tensors of `padding` bytes each."""
    name = b"general.name"
    entries = [
        _text(name) + struct.pack("<I", 8) + _text(b"tiny"),
        _text(b"general.alignment") + struct.pack("<II", 4, 32),
        _text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + _text(b"a") + _text(b"b"),
        _text(b"tokenizer.ggml.scores") + struct.pack("<IIQ", 9, 6, 2) + struct.pack("<ff", 0, 1),
    ]
    infos = [
        _text(b"t%d" % index)
        + struct.pack("<IQ", 1, padding // 4)
        + struct.pack("<IQ", 0, index * padding)
        for index in range(tensors)
    ]
    header = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(entries)) + b"".join(entries + infos)
    header += bytes(-len(header) % 32)
    return header + bytes(tensors * padding)


def safetensors(*, size: int = 64) -> bytes:
    """Return a safetensors file with one tensor of `size` bytes."""
    tensor = {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value

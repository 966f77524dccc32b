"""The reason of an engine's end, from how it ended and what it printed last."""

import signal

import pytest

from llmaz.agent.engines.classify import End, classify, last_lines

FAILED = End(code=1)


@pytest.mark.parametrize(
    ("end", "tail", "reason"),
    [
        (
            FAILED,
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            "OutOfDeviceMemory",
        ),
        (
            FAILED,
            "ValueError: No available memory for the cache blocks. Try increasing",
            "OutOfDeviceMemory",
        ),
        (
            FAILED,
            "ValueError: Free memory on device (1.2/79 GiB) on startup is less than desired",
            "OutOfDeviceMemory",
        ),
        (
            FAILED,
            "ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 9",
            "OutOfDeviceMemory",
        ),
        (
            FAILED,
            "RuntimeError: CUDA error: uncorrectable ECC error encountered",
            "DeviceFaultHardware",
        ),
        (
            FAILED,
            "RuntimeError: CUDA error: an illegal memory access was encountered",
            "DeviceFaultApplication",
        ),
        (
            FAILED,
            "CUDA driver version is insufficient for CUDA runtime version",
            "LibraryMismatch",
        ),
        (FAILED, "error while loading shared libraries: libcudart.so.12: no", "LibraryMismatch"),
        (FAILED, "OSError: [Errno 98] Address already in use", "PortInUse"),
        (
            FAILED,
            "main: couldn't bind HTTP server socket, hostname: 0.0.0.0, port: 8080",
            "PortInUse",
        ),
        (
            End(code=2),
            "usage: vllm serve\nvllm: error: unrecognized arguments: --x",
            "BadArguments",
        ),
        (FAILED, "error: invalid argument: --ctx", "BadArguments"),
        (End(code=2), "usage: engine [-h]\nsomething else", "BadArguments"),
        (
            FAILED,
            "OSError: /m does not appear to have a file named config.json",
            "WeightsMissing",
        ),
        (FAILED, "gguf_init_from_file: failed to open GGUF file '/m.gguf'", "WeightsMissing"),
        (FAILED, "Traceback (most recent call last):\nMemoryError", "OutOfHostMemory"),
        (End(signal=signal.SIGKILL, oom=True), "", "OutOfHostMemory"),
        (End(signal=signal.SIGILL), "Address already in use", "IllegalInstruction"),
        (End(signal=signal.SIGSEGV), "", "KilledBySignal"),
        (FAILED, "torch.distributed.DistStoreError: Timed out", "GroupTimeout"),
        (FAILED, "boom", "Error"),
        (End(code=0), "bye", "Completed"),
        (End(error="vllm: No such file or directory"), "", "ExecutableNotFound"),
        (End(error="./engine: Permission denied"), "", "NotExecutable"),
        (End(error="its shim was killed"), "", "ShimKilled"),
        (End(error="./engine: Too many levels"), "", "StartFailed"),
    ],
)
def test_an_end_has_a_reason(end: End, tail: str, reason: str) -> None:
    assert classify(end, tail).reason == reason


def test_the_message_shows_the_line_that_decided() -> None:
    tail = "loading\nOSError: [Errno 98] Address already in use\nbye"
    expected = "exited with code 1: OSError: [Errno 98] Address already in use"
    assert classify(FAILED, tail).message == expected


def test_an_unknown_end_shows_the_last_lines() -> None:
    message = classify(End(signal=signal.SIGABRT), "a\n\nb\nc\n").message
    assert message == "killed by signal SIGABRT: a | b | c"


def test_only_what_would_happen_again_is_permanent() -> None:
    usage = "error: unrecognized arguments: --x"
    assert classify(End(code=2), usage).permanent
    assert not classify(FAILED, "CUDA out of memory").permanent
    assert not classify(End(error="vllm: No such file or directory"), "").permanent


def test_a_real_time_signal_has_its_number() -> None:
    assert classify(End(signal=40), "").message == "killed by signal 40, without a word"


def test_last_lines_are_cut_to_a_readable_length() -> None:
    assert [len(line) for line in last_lines("x" * 1000)] == [300]

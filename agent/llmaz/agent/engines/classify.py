"""Why an engine ended: a reason and the lines that show it. Pure.

The patterns are what the engines and their libraries print; the first that matches decides, from
the most particular to the most general.
"""

import re
from dataclasses import dataclass
from signal import Signals

from llmaz.agent.accelerators.xid import XidClass
from llmaz.agent.engines.blame import REASONS
from llmaz.agent.engines.state import Fault
from llmaz.agent.slots.decide import SLOT_ENDED
from llmaz.api.node import OUT_OF_DEVICE_MEMORY
from llmaz.shim.protocol import SHIM_KILLED

LAST_LINES = 5
LINE_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a process ended."""

    code: int | None = None
    signal: int | None = None
    oom: bool = False
    error: str = ""  # of a start that failed, or of a shim that died


_PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        OUT_OF_DEVICE_MEMORY,
        (
            r"(CUDA|HIP|NPU) out of memory",
            r"OutOfMemoryError: (CUDA|HIP)",
            r"cudaErrorMemoryAllocation|hipErrorOutOfMemory|CUDA error: out of memory",
            r"No available memory for the cache blocks",  # vLLM
            r"Free memory on device .* is less than desired",  # vLLM
            r"Please try to increase --mem-fraction-static",  # SGLang
            r"failed to allocate CUDA\d* buffer",  # llama.cpp
        ),
    ),
    (
        REASONS[XidClass.HARDWARE],
        (r"uncorrectable ECC|GPU has fallen off the bus|GPU is lost",),
    ),
    ("DeviceFault", (r"NVRM: Xid",)),
    (
        REASONS[XidClass.APPLICATION],
        (
            r"CUDA error: (an illegal (memory access|instruction)|misaligned address)",
            r"CUDA error: (unspecified launch failure|device-side assert)",
        ),
    ),
    (
        "LibraryMismatch",
        (
            r"CUDA driver version is insufficient|Driver/library version mismatch",
            r"forward compatibility was attempted|no kernel image is available",
            r"error while loading shared libraries|undefined symbol",
            r"version `[^']+' not found",
        ),
    ),
    (
        "PortInUse",
        (
            r"[Aa]ddress already in use|EADDRINUSE",
            r"couldn't bind HTTP server socket",  # llama.cpp
        ),
    ),
    (
        "BadArguments",
        (
            r"error: (unrecognized arguments|argument |the following arguments are required)",
            r"error: (invalid argument|unknown argument|unexpected argument)",
            r"error while handling argument|invalid value for argument|No such option",
        ),
    ),
    (
        "WeightsMissing",
        (
            r"does not appear to have (a file|files) named",
            r"is not a local folder and is not a valid model",
            r"No such file or directory: .*(\.safetensors|\.gguf|\.bin|config\.json)",
            r"LocalEntryNotFoundError|OfflineModeIsEnabled|RepositoryNotFound",
            r"Error while deserializing header",  # safetensors
            r"failed to open GGUF file|gguf_init_from_file: failed",
            r"error loading model|failed to load model",
        ),
    ),
    (
        "OutOfHostMemory",
        (r"\bMemoryError\b|Cannot allocate memory|std::bad_alloc|DefaultCPUAllocator",),
    ),
    (
        "GroupTimeout",
        (r"NCCL.*[Tt]imeout|ncclSystemError|DistStoreError|Watchdog caught collective",),
    ),
)
_COMPILED = tuple((reason, re.compile("|".join(texts))) for reason, texts in _PATTERNS)
_BAD_USAGE = 2  # what argparse and most option parsers exit with
# The same file with the same arguments on the same processor: trying again is of no use.
_PERMANENT = ("BadArguments", "IllegalInstruction")


def classify(end: End, tail: str) -> Fault:
    """Name the reason of an end that nobody asked for, and say it with the last lines."""
    if end.error:
        return _not_started(end.error)
    how = _how(end)
    lines = last_lines(tail)
    reason, shown = _reason(end, tail)
    told = shown or " | ".join(lines)
    message = f"{how}: {told}" if told else f"{how}, without a word"
    return Fault(reason=reason, message=message, permanent=reason in _PERMANENT)


def last_lines(tail: str) -> tuple[str, ...]:
    """Return the last lines that say something, cut to a readable length."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return tuple(line[:LINE_CHARACTERS] for line in lines[-LAST_LINES:])


def _reason(end: End, tail: str) -> tuple[str, str]:
    if end.oom:
        return "OutOfHostMemory", ""
    if end.signal == Signals.SIGILL:
        return "IllegalInstruction", ""
    for reason, pattern in _COMPILED:
        if matches := list(pattern.finditer(tail)):
            return reason, _line_around(tail, matches[-1].start())
    if end.signal is not None:
        return "KilledBySignal", ""
    if end.code == _BAD_USAGE and re.search(r"(?i)\busage:", tail):
        return "BadArguments", ""
    return "Completed" if end.code == 0 else "Error", ""


def _not_started(error: str) -> Fault:
    if error == SHIM_KILLED:
        return Fault(reason="ShimKilled", message=f"ended because {error}")
    if error == SLOT_ENDED:
        return Fault(reason="SlotEnded", message=f"ended because {error}")
    program, _, why = error.rpartition(": ")
    if why == "No such file or directory":
        message = (
            f"{program}: no such program on this node; install it, or name the Python package that"
            " brings it in the BackendRuntime's spec.process.requirements"
        )
        return Fault(reason="ExecutableNotFound", message=message)
    if why in ("Permission denied", "Exec format error"):
        return Fault(reason="NotExecutable", message=f"{program}: {why.lower()}")
    if why == "Argument list too long":
        return Fault(reason="BadArguments", message=f"{program}: {why.lower()}", permanent=True)
    return Fault(reason="StartFailed", message=error)


def _how(end: End) -> str:
    if end.oom:
        return "killed by the kernel because the memory ran out"
    if end.signal is not None:
        return f"killed by signal {_signal_name(end.signal)}"
    return f"exited with code {end.code}"


def _signal_name(number: int) -> str:
    return Signals(number).name if number in Signals.__members__.values() else str(number)


def _line_around(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    return text[start:].split("\n", 1)[0].strip()[:LINE_CHARACTERS]

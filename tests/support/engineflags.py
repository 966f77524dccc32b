"""The options of an engine's command line, read from its sources: what presets may be held to.

Engines are too large to install, or need accelerators to start; the files that declare their
options are small. `python -m support.engineflags vllm vllm-0.32.0-*.whl` (in tests/, with a wheel
from `pip download --no-deps`, or a checkout's directory) prints the list that is kept in
tests/api/flags. What is declared for another command of the same program is in it as well.
"""

import argparse
import ast
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

_FLAG = re.compile(r"--?[a-zA-Z][\w.-]*")

# Where each engine declares its options.
DECLARED: dict[str, Sequence[str]] = {
    "vllm": (
        "vllm/engine/arg_utils.py",
        "vllm/entrypoints/*args*.py",
        "vllm/entrypoints/*/serve.py",
    ),
    "sglang": ("sglang/srt/server_args.py", "sglang/srt/arg_groups/*.py"),
    "tensorrt-llm": ("tensorrt_llm/commands/serve.py",),
    "tgi": ("launcher/src/main.rs",),
    "llamacpp": ("common/arg.cpp", "xllamacpp/*.so"),  # a build has the texts of its options in it
    "ollama": ("cmd/cmd.go", "envconfig/config.go"),  # its commands and variables
}


def flags(engine: str, source: Path) -> list[str]:
    """Return every option that the files declare, in order."""
    found: set[str] = set()
    for name, text in _texts(source, DECLARED[engine]):
        if name.endswith(".py"):
            found |= set(_of_python(text))
        elif name.endswith(".so"):
            found |= set(re.findall(r"(?<=\0)--?[a-zA-Z][\w.-]*(?=\0)", text, re.ASCII))
        elif name.endswith(".go"):
            found |= set(re.findall(r'Use:\s+"([a-z][\w-]*)', text))
            found |= set(re.findall(r'"(OLLAMA_\w+)"', text))
        elif name.endswith(".rs"):
            found |= {f"--{field.replace('_', '-')}" for field in _clap_fields(text)}
        else:
            found |= {flag for flag in re.findall(r'"([^"\s]+)"', text) if _FLAG.fullmatch(flag)}
    return sorted(found)


def _texts(source: Path, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if any(fnmatch(name, pattern) for pattern in patterns):
                yield name, path.read_text("latin-1")
        return
    with zipfile.ZipFile(source) as wheel:
        for name in sorted(wheel.namelist()):
            if any(fnmatch(name, pattern) for pattern in patterns):
                yield name, wheel.read(name).decode("latin-1")


def _of_python(text: str) -> Iterator[str]:
    """Yield the options that stand in calls, and those that are made of a dataclass's fields."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _FLAG.fullmatch(node.value):
                yield node.value
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield f"--{field.target.id.replace('_', '-')}"


def _clap_fields(text: str) -> list[str]:
    """Return the fields of the Rust struct `Args`."""
    struct = re.search(r"^struct Args \{(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^    (\w+): ", struct.group(1), re.MULTILINE) if struct else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=sorted(DECLARED))
    parser.add_argument("source", type=Path, help="a wheel, or the directory of a checkout")
    given = parser.parse_args()
    sys.stdout.write("".join(f"{flag}\n" for flag in flags(given.engine, given.source)))


if __name__ == "__main__":
    main()

"""Every option that a BackendRuntime which llmaz ships gives its engine is one that the engine has.

`flags` has one list for each version of an engine that was looked at, as `support.engineflags`
reads it from the engine's sources; those of TensorRT-LLM, which is too large for that, are what
its documentation of the version names. A runtime's annotation says from which version to which.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.manifest import decode
from support.engineflags import flags
from support.manifests import CHART, documents

VERSIONS = "llmaz.io/engine-versions"
FLAG = re.compile(r"--?[a-zA-Z][\w-]*")
OF_OLLAMA = re.compile(r"(?<=ollama )[a-z]+|OLLAMA_\w+")  # its commands, its variables
RUNTIMES = {path.stem: path for path in sorted((CHART / "runtimes").glob("*.yaml"))}
UNLISTED = {"llamacpp-cpu"}  # llmaz' own server is tested with its arguments
LISTS = {
    tuple(path.stem.rsplit("-", 1)): frozenset(path.read_text().split())
    for path in sorted((Path(__file__).parent / "flags").glob("*.txt"))
}


def engine_of(name: str) -> str:
    """Return whose lists a runtime is held to."""
    return name.removesuffix("-ray")


HELD = [
    (name, version) for name in RUNTIMES for engine, version in LISTS if engine == engine_of(name)
]
CHECKED = sorted(set(RUNTIMES) - UNLISTED)


def runtime(name: str) -> BackendRuntime:
    (document,) = documents(RUNTIMES[name])
    return decode(BackendRuntime, document)


def used(name: str) -> Iterator[str]:
    """Yield the options that a runtime gives its engine, wherever it does."""
    spec = runtime(name).spec
    if name == "ollama":
        words = (word for config in spec.recommended_configs for word in config.args)
        for word in (*words, *(env.name for env in spec.envs)):
            yield from OF_OLLAMA.findall(word)
        return
    for config in spec.recommended_configs:
        yield from (word for word in config.args if FLAG.fullmatch(word))
    yield from (word for word in (spec.sleep.args if spec.sleep else ()) if FLAG.fullmatch(word))
    commands = spec.multi_host_commands
    for word in (*commands.leader, *commands.worker) if commands else ():
        for line in word.splitlines():
            if "ray start" not in line:  # which the real Ray is asked in tests/system
                yield from re.findall(r"(?<!\S)--[a-z][\w-]*", line)


def ordered(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


@pytest.mark.parametrize(("name", "version"), HELD)
def test_an_engine_has_every_option_that_its_runtime_gives_it(name: str, version: str) -> None:
    assert set(used(name)) <= LISTS[engine_of(name), version]


@pytest.mark.parametrize("name", CHECKED)
def test_a_runtime_says_from_which_version_to_which_its_options_were_checked(name: str) -> None:
    versions = sorted((version for one, version in HELD if one == name), key=ordered)
    said = runtime(name).metadata.annotations[VERSIONS]
    assert said == f"{versions[0]} - {versions[-1]}"


def test_the_llama_cpp_that_is_installed_has_every_option_that_its_runtime_gives_it() -> None:
    xllamacpp = pytest.importorskip("xllamacpp", reason="llama.cpp is not installed")
    (build,) = Path(xllamacpp.__file__).parent.glob("*.so")
    content = build.read_bytes()
    assert [flag for flag in used("llamacpp") if flag.encode() + b"\0" not in content] == []


def test_options_are_read_from_calls_and_from_the_fields_of_arguments(tmp_path: Path) -> None:
    declared = tmp_path / "sglang" / "srt"
    declared.mkdir(parents=True)
    (declared / "server_args.py").write_text(
        "class Args:\n    tp_size: int = 1\nparser.add_argument('--host', '-H', help='no flag')\n"
    )
    assert flags("sglang", tmp_path) == ["--host", "--tp-size", "-H"]

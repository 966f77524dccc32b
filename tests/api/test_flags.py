"""Every option that a BackendRuntime which llmaz ships gives its engine is one that the engine has.

`flags` has one list for each version of an engine that was looked at, as `support.engineflags`
reads it from the engine's sources. A runtime's annotation says from which version to which.
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
LISTS = {
    tuple(path.stem.rsplit("-", 1)): frozenset(path.read_text().split())
    for path in sorted((Path(__file__).parent / "flags").glob("*.txt"))
}
CHECKED = sorted({engine for engine, _ in LISTS})


def runtime(engine: str) -> BackendRuntime:
    (document,) = documents(CHART / "runtimes" / f"{engine}.yaml")
    return decode(BackendRuntime, document)


def used(engine: str) -> Iterator[str]:
    spec = runtime(engine).spec
    for config in spec.recommended_configs:
        yield from (word for word in config.args if FLAG.fullmatch(word))
    commands = spec.multi_host_commands
    for word in (*commands.leader, *commands.worker) if commands else ():
        yield from (flag for flag in re.findall(r"(?<!\S)--[a-z][\w-]*", word))


def ordered(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


@pytest.mark.parametrize(("engine", "version"), LISTS)
def test_an_engine_has_every_option_that_its_runtime_gives_it(engine: str, version: str) -> None:
    assert set(used(engine)) <= LISTS[engine, version]


@pytest.mark.parametrize("engine", CHECKED)
def test_a_runtime_says_from_which_version_to_which_its_options_were_checked(engine: str) -> None:
    versions = sorted((version for one, version in LISTS if one == engine), key=ordered)
    said = runtime(engine).metadata.annotations[VERSIONS]
    assert said == f"{versions[0]} - {versions[-1]}"


def test_options_are_read_from_calls_and_from_the_fields_of_arguments(tmp_path: Path) -> None:
    declared = tmp_path / "sglang" / "srt"
    declared.mkdir(parents=True)
    (declared / "server_args.py").write_text(
        "class Args:\n    tp_size: int = 1\nparser.add_argument('--host', '-H', help='no flag')\n"
    )
    assert flags("sglang", tmp_path) == ["--host", "--tp-size", "-H"]

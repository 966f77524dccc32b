"""The images: what daemonset/Dockerfile does, held to what exists."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.chart import CHART, ROOT, rendered
from support.dockerfile import Copy, Dockerfile, lets_through, read

DAEMONSET = ROOT / "daemonset"
IMAGES = read((DAEMONSET / "Dockerfile").read_text())
IGNORE = (DAEMONSET / "Dockerfile.dockerignore").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = ("controller", "gateway", "agent", "agent-cpu")
EXTRA = re.compile(r"llmaz-\*\.whl\)\[(\w+)\]")
PINS = {
    line.partition("==")[0] for line in (DAEMONSET / "constraints.txt").read_text().splitlines()
}
target = pytest.mark.parametrize("target", TARGETS)


def _from_context() -> list[Copy]:
    copies = [copy for stage in IMAGES.stages.values() for copy in stage.copies()]
    return [copy for copy in copies if not copy.stage]


def _runs(target: str) -> list[str]:
    return [step.text for stage in IMAGES.needed(target) for step in stage.all("RUN")]


def test_what_is_copied_exists_and_is_let_into_the_context() -> None:
    sources = [Path(source) for copy in _from_context() for source in copy.sources]
    assert len(sources) > 5
    assert [path for path in sources if not (ROOT / path).exists()] == []
    assert [path for path in sources if not lets_through(IGNORE, path)] == []


def test_nothing_else_is_let_into_the_context() -> None:
    copied = {Path(source).parts[0] for copy in _from_context() for source in copy.sources}
    let = {path.name for path in ROOT.iterdir() if _is_let(path)}
    assert let - {"daemonset"} == copied - {"daemonset"}
    assert [path.name for path in DAEMONSET.iterdir() if _is_let(path)] == ["constraints.txt"]
    assert not lets_through(IGNORE, Path("api/llmaz/api/__pycache__/kinds.cpython-311.pyc"))


def _is_let(path: Path) -> bool:
    return lets_through(IGNORE, path.relative_to(ROOT))


def test_what_the_wheel_is_made_of_is_copied() -> None:
    """hatchling reads these from the context: the packages, and the files that pyproject names."""
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = whole["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {path.partition("/")[0] for path in wheel["packages"]}
    wanted |= {path.partition("/")[0] for path in wheel.get("force-include", {})}
    wanted |= {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml"}
    copied = {source for copy in IMAGES.stages["wheel"].copies() for source in copy.sources}
    assert wanted <= copied


@target
def test_an_image_starts_a_program_that_its_packages_bring(target: str) -> None:
    (entrypoint,) = IMAGES.stages[target].all("ENTRYPOINT")
    (program,) = entrypoint.words
    assert program in PROJECT["scripts"]
    (path,) = {
        word.partition("=")[2].partition(":")[0]
        for stage in IMAGES.lineage(target)
        for step in stage.all("ENV")
        for word in step.words
        if word.startswith("PATH=")
    }
    (packages,) = IMAGES.stages[target].copies()
    assert path == f"{packages.target}/bin"
    assert (packages.target,) == packages.sources
    assert f"{packages.target}/bin/pip install" in " ".join(_runs(packages.stage))


@target
def test_an_image_installs_an_extra_of_its_own_in_pinned_versions(target: str) -> None:
    (extra,) = EXTRA.findall(" ".join(_runs(target)))
    assert extra == target.removesuffix("-cpu")
    assert extra in PROJECT["optional-dependencies"]
    installs = [text for text in _runs(target) if "pip install" in text]
    assert installs
    assert all("--no-cache-dir -c /constraints.txt" in text for text in installs)


@target
def test_an_image_has_neither_what_built_it_nor_a_root(target: str) -> None:
    """Its own layers are the base, the account and the installed packages; it runs as nobody."""
    stages = IMAGES.lineage(target)
    assert [copy.sources for stage in stages for copy in stage.copies()] == [("/opt/llmaz",)]
    assert not any("pip" in step.text for stage in stages for step in stage.all("RUN"))
    users = [step.text for stage in stages for step in stage.all("USER")]
    assert users[-1] == "65532:65532"
    assert f"--uid {users[-1].partition(':')[0]} " in " ".join(_runs(target))


def test_the_charts_pods_run_as_the_images_user() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["agent"]["user"] == 65532
    pods = [one["spec"]["template"]["spec"] for one in rendered() if one["kind"] == "Deployment"]
    assert {pod["securityContext"].get("runAsUser", 65532) for pod in pods} == {65532}
    assert all(pod["securityContext"]["runAsNonRoot"] for pod in pods)


def test_a_release_pins_the_base_image_of_all_stages_by_one_argument() -> None:
    text = (DAEMONSET / "Dockerfile").read_text()
    assert re.fullmatch(r"\d+\.\d+\.\d+-slim-\w+", IMAGES.args["PYTHON"])
    pinned = f"{IMAGES.args['PYTHON']}@sha256:{'0' * 64}"
    with_digest = read(text.replace(f"ARG PYTHON={IMAGES.args['PYTHON']}", f"ARG PYTHON={pinned}"))
    bases = {stage.base for stage in with_digest.stages.values()} - with_digest.stages.keys()
    assert bases == {f"python:{pinned}"}
    wanted = PROJECT["requires-python"].removeprefix(">=")
    assert IMAGES.args["PYTHON"].startswith(f"{wanted}.")


def test_every_package_of_the_images_is_pinned_and_none_is_torch() -> None:
    made = subprocess.run(
        [sys.executable, str(DAEMONSET / "constraints.py")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert {line.partition("==")[0] for line in made.splitlines()} == PINS, "run `make constraints`"


def test_nothing_that_the_agents_images_install_asks_for_torch() -> None:
    """As pip resolves it: from the extra on, through what each package asks for on Linux."""
    found: set[str] = set()
    waiting = [Requirement("llmaz[agent]"), Requirement("xllamacpp")]
    while waiting:
        wanted = waiting.pop()
        for text in distribution(wanted.name).requires or ():
            needed = Requirement(text)
            if _is_asked_for(needed, wanted.extras) and needed.name not in found:
                found.add(needed.name)
                waiting.append(needed)
    names = {canonicalize_name(name) for name in found}
    assert names <= PINS
    assert not names & {"torch", "vllm", "sglang", "triton", "transformers", "tensorflow"}


def _is_asked_for(needed: Requirement, extras: set[str]) -> bool:
    if needed.marker is None:
        return True
    return any(needed.marker.evaluate({"extra": extra}) for extra in extras or {""})


def _apt_packages(images: Dockerfile) -> set[str]:
    steps = [step for stage in images.stages.values() for step in stage.all("RUN")]
    commands = [part.split() for step in steps for part in step.text.split("&&")]
    installs = [words for words in commands if words[:2] == ["apt-get", "install"]]
    return {word for words in installs for word in words[2:] if not word.startswith("-")}


def test_the_systems_packages_that_images_install_exist() -> None:
    packages = _apt_packages(IMAGES)
    assert packages
    if shutil.which("apt-cache") is None:
        pytest.skip("this system has no apt to ask")
    asked = ["apt-cache", "show", "--no-all-versions", *sorted(packages)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if not done.stdout and done.returncode:
        pytest.skip("apt has no lists of packages here")
    shown = {
        line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("Package: ")
    }
    assert shown == packages


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM a AS b\nVOLUME /x", "line 2: VOLUME is not known"),
        ("RUN true", "line 1: RUN before the first FROM"),
        ("FROM a AS b\nFROM a AS b", "line 2: a stage needs a name of its own"),
        ("FROM a AS b\n\nCOPY --from=c /x /x", "line 3: there is no stage c before"),
        ("FROM a AS b\nCOPY --chown=1 x y", "line 2: COPY --chown=1 x y is not understood"),
    ],
    ids=["unknown", "early", "twice", "later", "option"],
)
def test_a_reader_of_dockerfiles_refuses_what_it_does_not_know(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read(text)


def test_a_reader_of_dockerfiles_joins_lines_and_fills_arguments_in() -> None:
    images = read("ARG V=3\nFROM img:${V} AS a\nRUN one \\\n  two\nFROM a AS b\nFROM img AS c\n")
    assert images.stages["a"].base == "img:3"
    assert images.stages["a"].all("RUN")[0].words == ("one", "two")
    assert [stage.name for stage in images.needed("b")] == ["a", "b"]
    assert [stage.name for stage in images.lineage("c")] == ["c"]

"""A reader of Dockerfiles: stages, their steps, and what a context lets through.

It knows what daemonset/Dockerfile needs and refuses all else: an instruction that nobody looked at
would be one that no test holds.
"""

import fnmatch
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KEYWORDS = frozenset({"FROM", "ARG", "ENV", "USER", "WORKDIR", "COPY", "RUN", "ENTRYPOINT"})


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a stage, with the line that it begins at."""

    keyword: str
    text: str
    line: int

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the text; those of a JSON list are its items."""
        if self.text.startswith("["):
            return tuple(map(str, json.loads(self.text)))
        return tuple(shlex.split(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What a COPY says. `stage` is empty where it copies from the context."""

    stage: str
    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one FROM begins. `base` is a former stage or an image, with its ARGs filled in."""

    name: str
    base: str
    steps: tuple[Step, ...] = ()

    def all(self, keyword: str) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.keyword == keyword)

    def copies(self) -> tuple[Copy, ...]:
        return tuple(copy_of(step) for step in self.all("COPY"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """The ARGs before the first FROM, with their defaults, and the stages by name, in order."""

    args: Mapping[str, str]
    stages: Mapping[str, Stage]

    def needed(self, target: str) -> tuple[Stage, ...]:
        """Return the stages that one is made of, itself last, in the file's order."""
        names, waiting = set[str](), [target]
        while waiting:
            stage = self.stages[waiting.pop()]
            names.add(stage.name)
            sources = (stage.base, *(copy.stage for copy in stage.copies()))
            waiting += [name for name in sources if name in self.stages and name not in names]
        return tuple(stage for name, stage in self.stages.items() if name in names)

    def lineage(self, target: str) -> tuple[Stage, ...]:
        """Return a stage after those that it is FROM, oldest first."""
        stage = self.stages[target]
        older = self.lineage(stage.base) if stage.base in self.stages else ()
        return (*older, stage)


def read(text: str) -> Dockerfile:
    """Read a Dockerfile; ValueError names the line of what is not understood."""
    args: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for step in _steps(text):
        if step.keyword == "FROM":
            stage = _stage(step, args, stages)
            stages[stage.name] = stage
        elif stages:
            last = stages[next(reversed(stages))]
            stages[last.name] = Stage(
                name=last.name, base=last.base, steps=(*last.steps, _checked(step, stages))
            )
        elif step.keyword == "ARG":
            name, _, default = step.text.partition("=")
            args[name] = default
        else:
            raise ValueError(f"line {step.line}: {step.keyword} before the first FROM")
    return Dockerfile(args=args, stages=stages)


def _steps(text: str) -> list[Step]:
    steps, words, begun = list[Step](), "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#") or not (line.strip() or words):
            continue
        begun = begun if words else number
        words += line
        if words.endswith("\\"):
            words = words.removesuffix("\\")
            continue
        keyword, _, rest = words.partition(" ")
        if keyword not in KEYWORDS:
            raise ValueError(f"line {begun}: {keyword} is not known")
        steps.append(Step(keyword, rest.strip(), begun))
        words = ""
    return steps


def _stage(step: Step, args: Mapping[str, str], stages: Mapping[str, Stage]) -> Stage:
    base, as_, name = step.words
    if as_ != "AS" or name in stages:
        raise ValueError(f"line {step.line}: a stage needs a name of its own")
    return Stage(name=name, base=expanded(base, args))


def _checked(step: Step, stages: Mapping[str, Stage]) -> Step:
    if step.keyword == "COPY" and (stage := copy_of(step).stage) and stage not in stages:
        raise ValueError(f"line {step.line}: there is no stage {stage} before")
    return step


def copy_of(step: Step) -> Copy:
    """Return what a COPY says; of its options `--from` alone is known."""
    options = [word for word in step.words if word.startswith("--")]
    *sources, target = [word for word in step.words if not word.startswith("--")]
    if not sources or any(not option.startswith("--from=") for option in options):
        raise ValueError(f"line {step.line}: COPY {step.text} is not understood")
    stage = options[0].removeprefix("--from=") if options else ""
    return Copy(stage=stage, sources=tuple(sources), target=target)


def expanded(text: str, values: Mapping[str, str]) -> str:
    """Fill in `$NAME` and `${NAME}`; one that is not given is empty, as Docker has it."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], ""), text)


def lets_through(ignore: str, path: Path) -> bool:
    """Tell whether a .dockerignore keeps a path of the context: the last line that matches counts.

    A line matches a path, and all that is below it.
    """
    kept = True
    for line in ignore.splitlines():
        pattern = line.strip().removeprefix("!")
        if pattern and not pattern.startswith("#") and _matches(pattern, path):
            kept = line.strip().startswith("!")
    return kept


def _matches(pattern: str, path: Path) -> bool:
    above = [path, *path.parents][:-1]
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(one.name, pattern[3:]) for one in above)
    return any(fnmatch.fnmatchcase(str(one), pattern) for one in above)

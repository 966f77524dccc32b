"""The table of reasons holds all that the programs write, and nothing else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.api import kinds
from llmaz.api.kinds import Kind
from support.chart import ROOT

GUIDE = ROOT / "docs/troubleshooting.md"
WRITERS = ("controller/llmaz/controller", "agent/llmaz/agent", "api/llmaz/api")
# Two humps: what a reason looks like. Those of one are found where they are given as `reason=`.
HUMPS = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-zA-Z]*)+")
# Words of this shape that no condition and no Event has as its reason.
WORDS_OF = {
    "types of conditions": "AcceleratorsKnown AcceleratorsUsable AssignmentAccepted CacheUsable"
    " ObjectsAccepted PeersTrusted RollingOut ScalingActive PodScheduled",
    "placeholders of templates": "ModelName ModelPath DraftModelPath",
    "values of Kubernetes' own fields": "NoExecute NoSchedule PreferNoSchedule NotIn DoesNotExist"
    " DirectoryOrCreate RuntimeDefault IfNotPresent ClusterIP InternalIP ScheduleAnyway"
    " ContainerCreating PodInitializing RollingUpdate AlwaysAllow",
    "values of our fields": "RecreateGroupOnPodRestart LeaderWorker LeaderExcluded HuggingFace"
    " ModelScope",
    "answers of hubs and clouds": "AccessKeyId SecretAccessKey SessionToken RepoNotFound GatedRepo"
    " EntryNotFound DisabledRepo RateLimit NextContinuationToken NextMarker IsTruncated"
    " AssumeRoleWithWebIdentity WebIdentityToken RoleArn RoleSessionName TerminateScheduled"
    " PreemptScheduled ToBeDeletedByClusterAutoscaler FilePath",
    "files of the kernel": "MemTotal MemAvailable NoDevFiles",
    "labels of metrics": "AcceleratorMemory TenantLimit",
    "labels of a metric of scaling": "Idle Sleep OutOfBounds Starting Steady",
    "outcomes inside a program": "AtRest NotFound",
    "names of types": "FilesystemSource ShimStatus ShimClient RevisionMap ManifestError"
    " UnknownFieldError",
}


class _Strings(ast.NodeVisitor):
    """All texts of a module but its docstrings and annotations; and what is given as a reason."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Expr(self, node: ast.Expr) -> None:  # ast's name
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg == "reason":
            self.found |= {text for text in _texts(node.value) if text.isalpha()}
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:  # ast's name
        if isinstance(node.value, str) and HUMPS.fullmatch(node.value):
            self.found.add(node.value)


def _texts(value: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression may be: those of both sides of a choice."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)


# Reasons that are put together of two words where they are written.
COMPOSED = {"SecretNotFound", "ConfigMapNotFound"}


def _kinds() -> set[str]:
    served = {one.kind for one in vars(kinds).values() if isinstance(one, Kind)}
    return served | {f"{one}List" for one in served}


def _written() -> dict[str, list[str]]:
    """Return each reason in the sources, with the files that have it."""
    known = _kinds() | {word for words in WORDS_OF.values() for word in words.split()}
    found: dict[str, list[str]] = {}
    for path in (file for part in WRITERS for file in sorted((ROOT / part).rglob("*.py"))):
        strings = _Strings()
        strings.visit(ast.parse(path.read_text()))
        for text in strings.found - known:
            found.setdefault(text, []).append(str(path.relative_to(ROOT)))
    return found


def _explained() -> set[str]:
    rows = [line for line in GUIDE.read_text().splitlines() if line.startswith("|")]
    cells = ["|".join(row.split("|")[1:-2]) for row in rows]
    return {reason for cell in cells for reason in re.findall(r"`([A-Z][A-Za-z]+)`", cell)}


@pytest.fixture(scope="module")
def written() -> dict[str, list[str]]:
    return _written()


def test_every_reason_that_the_programs_write_says_what_to_do(
    written: dict[str, list[str]],
) -> None:
    """A word that is no reason belongs into WORDS_OF, a reason into docs/troubleshooting.md."""
    explained = _explained()
    assert explained >= COMPOSED
    assert {one: files for one, files in written.items() if one not in explained} == {}


def test_every_reason_that_is_explained_is_written(written: dict[str, list[str]]) -> None:
    sources = [p.read_text() for part in WRITERS for p in (ROOT / part).rglob("*.py")]
    gone = [
        one
        for one in _explained() - written.keys() - COMPOSED
        if not any(f'"{one}"' in t for t in sources)
    ]
    assert gone == []


def test_a_reason_is_found_wherever_it_stands(tmp_path: Path) -> None:
    strings = _Strings()
    strings.visit(
        ast.parse('"""DocString."""\na = f(reason="Up" if b else "Down")\nc = ("TwoHumps",)')
    )
    assert strings.found == {"Up", "Down", "TwoHumps"}

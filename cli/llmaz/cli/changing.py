"""`apply` and `delete`: change objects."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from llmaz.cli import documents, kinds
from llmaz.cli.errors import NOT_FOUND, USAGE, CliError
from llmaz.cli.options import Kubeconfig, Namespace, connect
from llmaz.cli.runner import execute

if TYPE_CHECKING:
    from llmaz.api.kinds import Kind
    from llmaz.api.manifest import Json, Manifest
    from llmaz.kube import Kube

MANAGER = "llmaz"

Files = Annotated[
    list[str] | None,
    typer.Option("-f", "--filename", help="File, directory, or - for standard input."),
]


def apply(
    filename: Files = None,
    namespace: Namespace = "default",
    force: Annotated[
        bool, typer.Option("--force-conflicts", help="Take over fields that others own.")
    ] = False,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Create or change objects from manifests (server-side apply)."""

    async def work() -> None:
        found = documents.read(_given(filename), namespace)
        _refuse_malformed(found)
        refused = 0
        async with await connect(kubeconfig) as kube:
            for document in found:
                refused += not await _apply(kube, document, force=force)
        if refused:
            raise CliError(f"{refused} of {len(found)} objects were refused")

    execute(work())


def _refuse_malformed(found: "list[documents.Document]") -> None:
    """Raise CliError unless every object may be sent: half of what belongs together is no use."""
    wrong = [one for one in found if one.errors]
    for one in wrong:
        for error in one.errors:
            typer.echo(f"{one.where}: {kinds.label(one.kind, one.name)}: {error}", err=True)
    if wrong:
        raise CliError(f"{len(wrong)} of {len(found)} objects are malformed; nothing was sent")


async def _apply(kube: "Kube", document: documents.Document, *, force: bool) -> bool:
    """Apply one object and say what came of it; return whether the server took it."""
    from llmaz.kube import Conflict, Forbidden, Invalid, NotFound

    label = kinds.label(document.kind, document.name)
    try:
        before = _version(await kube.get(document.kind, document.name, document.namespace))
    except NotFound:
        before = None
    try:
        applied = await kube.apply(document.kind, document.manifest, manager=MANAGER, force=force)
    except (Conflict, Forbidden, Invalid, NotFound) as error:  # NotFound: of its namespace
        typer.echo(f"{label}: {error}", err=True)
        return False
    if before is None:
        typer.echo(f"{label} created")
    else:
        typer.echo(f"{label} {'unchanged' if _version(applied) == before else 'configured'}")
    return True


def delete(
    kind: Annotated[str | None, typer.Argument(help="Kind, such as playground or pl.")] = None,
    names: Annotated[list[str] | None, typer.Argument(help="Objects.")] = None,
    filename: Files = None,
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Delete objects by name, or those of manifests."""

    async def work() -> None:
        targets = _targets(kind, names or [], filename, namespace)
        missing = 0
        async with await connect(kubeconfig) as kube:
            for target in targets:
                missing += not await _delete(kube, *target)
        if missing == len(targets):
            raise CliError("nothing was deleted", code=NOT_FOUND)

    execute(work())


async def _delete(kube: "Kube", kind: "Kind", name: str, namespace: str | None) -> bool:
    from llmaz.kube import NotFound

    try:
        await kube.delete(kind, name, namespace)
    except NotFound:
        typer.echo(f"{kinds.label(kind, name)} does not exist", err=True)
        return False
    typer.echo(f"{kinds.label(kind, name)} deleted")
    return True


def _targets(
    kind: str | None, names: list[str], filename: list[str] | None, namespace: str
) -> "list[tuple[Kind, str, str | None]]":
    if filename:
        found = documents.read(filename, namespace)
        return [(one.kind, one.name, one.namespace) for one in reversed(found)]
    if kind is None or not names:
        raise CliError("say what to delete: a kind and names, or -f FILE", code=USAGE)
    wanted = kinds.named(kind)
    return [(wanted, name, namespace if wanted.namespaced else None) for name in names]


def _given(filename: list[str] | None) -> list[str]:
    if not filename:
        raise CliError("say which manifests: -f FILE, -f DIRECTORY or -f -", code=USAGE)
    return filename


def _version(manifest: "Manifest") -> "Json":
    return cast("Manifest", manifest["metadata"])["resourceVersion"]

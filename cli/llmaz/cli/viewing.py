"""`get`, `describe`, `nodes`, `models`: look at objects."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from llmaz.cli import kinds
from llmaz.cli.options import Kubeconfig, Namespace, connect
from llmaz.cli.output import Format, print_object, print_table, row_keys, table_rows
from llmaz.cli.runner import execute

if TYPE_CHECKING:
    from llmaz.api.kinds import Kind
    from llmaz.api.manifest import Json, Manifest
    from llmaz.kube import Kube

Output = Annotated[Format, typer.Option("-o", "--output", help="Format.")]


def get(
    kind: Annotated[str, typer.Argument(help="Kind, such as playgrounds or pl.")],
    name: Annotated[str | None, typer.Argument(help="One object.")] = None,
    namespace: Namespace = "default",
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="Of all.")] = False,
    output: Output = Format.TABLE,
    selector: Annotated[str, typer.Option("-l", "--selector", help="Labels to match.")] = "",
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on printing changes.")] = False,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List objects, or show one."""

    async def work() -> None:
        wanted = kinds.named(kind)
        where = namespace if wanted.namespaced and not all_namespaces else None
        async with await connect(kubeconfig) as kube:
            view = _View(kube, wanted, where, name, selector, output)
            await view.show()
            if watch:
                await view.follow()

    if watch and output in (Format.JSON, Format.YAML):
        raise typer.BadParameter("-w prints rows: use it with -o table, wide or name")
    execute(work())


class _View:
    """What one `get` looks at."""

    def __init__(
        self,
        kube: "Kube",
        kind: "Kind",
        namespace: str | None,
        name: str | None,
        selector: str,
        output: Format,
    ) -> None:
        self._kube = kube
        self._kind = kind
        self._namespace = namespace
        self._name = name
        self._selector = selector
        self._output = output

    async def show(self) -> None:
        if self._output in (Format.JSON, Format.YAML):
            await self._show_manifests()
            return
        table = await self._kube.table(
            self._kind, self._namespace, name=self._name, label_selector=self._selector
        )
        if not table.get("rows"):
            where = f" in namespace {self._namespace}" if self._namespace else ""
            typer.echo(f"no {self._kind.plural}{where}", err=True)
        else:
            self._print(table, with_header=True)

    async def follow(self) -> None:
        """Print a row whenever an object changes, until interrupted."""
        listing = await self._kube.list(self._kind, self._namespace, label_selector=self._selector)
        version = listing.resource_version
        while True:  # the server ends each stream after some minutes
            stream = self._kube.watch(
                self._kind,
                self._namespace,
                resource_version=version,
                label_selector=self._selector,
            )
            async for event in stream:
                metadata = cast("Manifest", event.object["metadata"])
                version = str(metadata["resourceVersion"])
                name = str(metadata.get("name") or "")
                if event.type != "BOOKMARK" and self._name in (None, name):
                    namespace = cast("str | None", metadata.get("namespace"))
                    await self._print_change(event.type, name, namespace)

    async def _print_change(self, change: str, name: str, namespace: str | None) -> None:
        from llmaz.kube import NotFound

        if change == "DELETED":
            typer.echo(f"{kinds.label(self._kind, name)} deleted")
            return
        try:
            table = await self._kube.table(self._kind, namespace, name=name)
        except NotFound:
            return  # deleted since; that is the next change
        self._print(table, with_header=False)

    async def _show_manifests(self) -> None:
        if self._name is not None:
            manifest = await self._kube.get(self._kind, self._name, self._namespace)
            print_object(_without_owners(manifest), self._output)
            return
        listing = await self._kube.list(self._kind, self._namespace, label_selector=self._selector)
        items: list[Json] = [_without_owners(item) for item in listing.items]
        print_object({"apiVersion": "v1", "kind": "List", "items": items}, self._output)

    def _print(self, table: "Manifest", *, with_header: bool) -> None:
        keys = row_keys(table)
        if self._output is Format.NAME:
            for _, name in keys:
                typer.echo(kinds.label(self._kind, name))
            return
        headers, rows = table_rows(table, wide=self._output is Format.WIDE)
        if self._kind.namespaced and self._namespace is None:
            headers = ["Namespace", *headers]
            rows = [[key[0], *row] for key, row in zip(keys, rows, strict=True)]
        print_table(headers, rows, with_header=with_header)


def _without_owners(manifest: "Manifest") -> "Manifest":
    """Leave out who owns which field, as kubectl does: it is longer than all the rest."""
    metadata = cast("Manifest", manifest["metadata"])
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {**manifest, "metadata": kept}


def nodes(
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the nodes, what they have, and how many of their engines are ready."""
    if output not in (Format.TABLE, Format.WIDE):
        get("inferencenodes", output=output, kubeconfig=kubeconfig)
        return
    execute(_show_nodes(kubeconfig, wide=output is Format.WIDE))


async def _show_nodes(kubeconfig: Kubeconfig, *, wide: bool) -> None:
    from datetime import UTC, datetime

    from llmaz.api.kinds import INFERENCE_NODE
    from llmaz.api.manifest import decode
    from llmaz.api.node import InferenceNode
    from llmaz.cli import nodelist

    async with await connect(kubeconfig) as kube:
        listing = await kube.list(INFERENCE_NODE)
    if not listing.items:
        typer.echo("no inferencenodes", err=True)
        return
    found, now = [decode(InferenceNode, item) for item in listing.items], datetime.now(UTC)
    headers = [*nodelist.HEADERS, *(nodelist.MORE_HEADERS if wide else ())]
    cells = [[*nodelist.row(one, now), *(nodelist.more(one) if wide else ())] for one in found]
    print_table(headers, cells)


def models(
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the models of the catalogue, what nodes fetch of them now, and what they can't."""
    get("openmodels", output=output, kubeconfig=kubeconfig)
    if output in (Format.TABLE, Format.WIDE):
        execute(_show_fetches(kubeconfig))


async def _show_fetches(kubeconfig: Kubeconfig) -> None:
    from llmaz.api.kinds import INFERENCE_NODE
    from llmaz.api.manifest import decode
    from llmaz.api.node import InferenceNode, ModelPhase
    from llmaz.cli.reported import HEADERS, reports, row

    async with await connect(kubeconfig) as kube:
        listing = await kube.list(INFERENCE_NODE)
    found = reports(decode(InferenceNode, item) for item in listing.items)
    told = (ModelPhase.FETCHING, ModelPhase.FAILED)
    unsettled = [row(*one) for one in found if one[1].phase in told]
    if unsettled:
        typer.echo()
        print_table(HEADERS, unsettled)


def describe(
    kind: Annotated[str, typer.Argument(help="Kind, such as playground or pl.")],
    name: Annotated[str, typer.Argument(help="The object.")],
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show one object: what was asked for, what is, and what happened."""

    async def work() -> None:
        from llmaz.api.kinds import EVENT
        from llmaz.cli.describing import description

        wanted = kinds.named(kind)
        where = namespace if wanted.namespaced else None
        async with await connect(kubeconfig) as kube:
            found = await kube.get(wanted, name, where)
            selector = f"involvedObject.kind={wanted.kind},involvedObject.name={name}"
            events = await kube.list(EVENT, where, field_selector=selector)
        typer.echo(description(found, events.items))

    execute(work())

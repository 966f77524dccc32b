"""`llmaz cache`: the weights on this machine, and what the nodes of a cluster say of theirs.

The directory is the agent's own, and the files are the agent's own code: both may work at once.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from llmaz.cli.errors import NOT_FOUND, USAGE, CliError
from llmaz.cli.options import Kubeconfig, connect, home
from llmaz.cli.output import Format, print_object, print_table
from llmaz.cli.pulling import pull
from llmaz.cli.runner import execute

if TYPE_CHECKING:
    from llmaz.agent.cache.store import Tree
    from llmaz.api.manifest import Json

app = typer.Typer(
    help="Weights on this machine's disk, and on the nodes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Output: TypeAlias = Annotated[Format, typer.Option("-o", "--output", help="table, json, yaml.")]
Repository: TypeAlias = Annotated[
    str, typer.Argument(help="Repository as `llmaz cache ls` names it, such as Qwen/Qwen3-0.6B.")
]
_DAY = 86_400.0

app.command()(pull)


def _cache_dir() -> Path:
    return home().cache


@app.command("ls")
def list_models(
    nodes: Annotated[bool, typer.Option("--nodes", help="What the nodes report.")] = False,
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the models in this machine's cache, or with --nodes in those of the cluster."""
    execute(_list_nodes(output, kubeconfig) if nodes else _list_here(output))


async def _list_here(output: Format) -> None:
    from llmaz.agent.cache.pins import pinned
    from llmaz.agent.cache.room import inventory
    from llmaz.api.quantity import in_words

    kept = pinned(_cache_dir())
    found: list[dict[str, Json]] = []
    for entry in inventory(_cache_dir()):
        snapshot = Path(entry.root)
        tree = snapshot.parent.parent
        found.append(
            {
                "repository": _name_of(tree),
                "source": tree.parent.name,
                "revision": snapshot.name,
                "bytes": sum(entry.blobs.values()),
                "lastUsed": int(entry.last_used),
                "pinned": tree in kept,
                "path": entry.root,
            }
        )
    if output is not Format.TABLE:
        print_object(list(found), output)
        return
    if not found:
        typer.echo(f"no models in {_cache_dir()}", err=True)
        return
    rows = [
        [
            str(one["repository"]),
            str(one["source"]),
            str(one["revision"])[:12],
            in_words(int(str(one["bytes"]))),
            _ago(float(str(one["lastUsed"]))),
            "yes" if one["pinned"] else "",
        ]
        for one in found
    ]
    print_table(["Repository", "Source", "Revision", "Size", "Used", "Pinned"], rows)


async def _list_nodes(output: Format, kubeconfig: Path | None) -> None:
    from llmaz.api.kinds import INFERENCE_NODE
    from llmaz.api.manifest import decode, encode
    from llmaz.api.node import InferenceNode
    from llmaz.cli.reported import HEADERS, reports, row

    async with await connect(kubeconfig) as kube:
        listing = await kube.list(INFERENCE_NODE)
    found = reports(decode(InferenceNode, item) for item in listing.items)
    if output is not Format.TABLE:
        items: list[Json] = [{"node": name, "model": encode(report)} for name, report in found]
        print_object(items, output)
        return
    if not found:
        typer.echo("no node has models", err=True)
        return
    print_table(HEADERS, [row(*one) for one in found])


@app.command()
def df(output: Output = Format.TABLE) -> None:
    """Show what the cache takes of the disk."""
    execute(_df(output))


async def _df(output: Format) -> None:
    import shutil

    from llmaz.agent.cache.evict import used
    from llmaz.agent.cache.room import inventory
    from llmaz.api.quantity import in_words

    here = _cache_dir()
    if not here.exists():
        raise CliError(f"there is no cache at {here} yet", code=NOT_FOUND)
    disk = shutil.disk_usage(here)
    sizes = {
        "models": used(inventory(here)),
        "partial": _blocks(here / "partial") + _unshown(here),
        "quarantine": _blocks(here / "quarantine"),
        "environments": _blocks(here / "environments"),
        "diskFree": disk.free,
        "diskSize": disk.total,
    }
    if output is not Format.TABLE:
        print_object({"path": str(here), **sizes}, output)
        return
    print_table(["What", "Size"], [[what, in_words(size)] for what, size in sizes.items()])


@app.command()
def verify() -> None:
    """Read every stored file again; what is wrong is hidden, and fetched anew when next needed."""
    execute(_verify())


async def _verify() -> None:
    from llmaz.agent.cache.scrub import scrub
    from llmaz.api.quantity import in_words

    wrong = files = size = 0
    for checked in scrub(_cache_dir()):
        files, size = files + 1, size + checked.size
        if checked.problem is not None:
            wrong += 1
            typer.echo(f"{checked.sha256}: {checked.problem}", err=True)
    typer.echo(f"{files} files, {in_words(size)}: {wrong} wrong")
    if wrong:
        raise CliError(
            f"{wrong} files are in quarantine",
            hint="an agent fetches them anew within a minute; look into the disk",
        )


@app.command()
def pin(repository: Repository) -> None:
    """Never evict a model from this machine's cache."""
    execute(_pin(repository))


async def _pin(repository: str) -> None:
    from llmaz.agent.cache import pins

    tree = _tree(repository)
    pins.pin(_cache_dir(), tree, pins.USER)
    typer.echo(f"{repository} is pinned")


@app.command()
def unpin(repository: Repository) -> None:
    """Let a model be evicted again."""
    execute(_unpin(repository))


async def _unpin(repository: str) -> None:
    from llmaz.agent.cache import pins

    tree = _tree(repository)
    still = pins.unpin(_cache_dir(), tree, pins.USER)
    typer.echo(f"{repository} is {'still pinned by an OpenModel' if still else 'not pinned'}")


@app.command()
def rm(
    repository: Repository,
    force: Annotated[bool, typer.Option(help="Also if it is pinned.")] = False,
) -> None:
    """Remove a model from this machine's cache; an engine that has it open goes on reading."""
    execute(_remove(repository, force=force))


async def _remove(repository: str, *, force: bool) -> None:
    from llmaz.agent.cache.pins import pinned
    from llmaz.agent.cache.room import remove

    tree = _tree(repository)
    if tree.root in pinned(_cache_dir()) and not force:
        raise CliError(
            f"{repository} is pinned", hint=f"`llmaz cache unpin {repository}`, or --force"
        )
    snapshots = sorted((tree.root / "snapshots").glob("*"))
    if not snapshots:
        raise CliError(f"{repository} is not in the cache at {_cache_dir()}", code=NOT_FOUND)
    for snapshot in snapshots:
        remove(_cache_dir(), snapshot)
    typer.echo(f"{repository} is removed")


def _tree(repository: str) -> "Tree":
    """Return the tree of a repository; raise where none or several have its name."""
    from llmaz.agent.cache.store import Tree

    here = _cache_dir()
    found = [root for root in sorted(here.glob("*/models--*")) if repository in _names_of(root)]
    if len(found) == 1:
        return Tree(root=found[0])
    if not found:
        raise CliError(f"{repository} is not in the cache at {here}", code=NOT_FOUND)
    several = ", ".join(f"{root.parent.name}/{_name_of(root)}" for root in found)
    raise CliError(f"{repository} is one of {several}: name which", code=USAGE)


def _names_of(root: Path) -> tuple[str, str]:
    return _name_of(root), f"{root.parent.name}/{_name_of(root)}"


def _name_of(root: Path) -> str:
    return root.name.removeprefix("models--").replace("--", "/")


def _blocks(folder: Path) -> int:
    return sum(status.st_blocks * 512 for status in _files(folder))


def _unshown(here: Path) -> int:
    """Return the bytes of whole files whose model is not whole, or came to nothing, yet."""
    stored = _files(here / "store" / "sha256")
    return sum(status.st_blocks * 512 for status in stored if status.st_nlink == 1)


def _files(folder: Path) -> Iterator[os.stat_result]:
    """Yield what the disk says of the files in a folder; some may go meanwhile."""
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                status = Path(where, name).lstat()
                if stat.S_ISREG(status.st_mode):
                    yield status


def _ago(then: float) -> str:
    seconds = max(0.0, time.time() - then)
    if seconds < 3600:
        return f"{int(seconds // 60)}m ago"
    return f"{int(seconds // 3600)}h ago" if seconds < 2 * _DAY else f"{int(seconds // _DAY)}d ago"

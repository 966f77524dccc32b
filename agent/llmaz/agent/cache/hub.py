"""The child program that fetches from a Hugging Face hub: `python -m llmaz.agent.cache.hub`.

It is a process of its own since the hub's client is heavy (60 MiB and a second of processor time at
its import) and is ended by a kill. It reads one request on standard input and writes events on
standard output. HF_ENDPOINT and the proxies' variables are honoured by the client; a request
without a token uses the client's own (HF_TOKEN, or a login).
"""

import fcntl
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils._paths import filter_repo_objects
from huggingface_hub.utils.tqdm import tqdm

from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.meter import Meter
from llmaz.agent.cache.origin import HubRepository, leads_inside
from llmaz.agent.cache.request import HubRequest, Progress, read_request, write_event
from llmaz.agent.cache.state import Fetched, FetchFailed, FileMark
from llmaz.agent.cache.tree import (
    RepositoryFile,
    discard,
    is_genuine,
    publish,
    repository_dir,
    snapshot_dir,
)
from llmaz.agent.children import die_with_parent

FILES_AT_ONCE = 4
RESERVE_BYTES = 256 * 2**20  # left free for logs and the agent's own state
ATTEMPTS_AT_GENUINE_BYTES = 2
_FIRST_PART = re.compile(r"(.+)-00001-of-(\d{5})\.gguf")


class Refused(Exception):  # it carries an outcome
    """The fetch can't go on, for a reason that is known."""

    def __init__(self, reason: str, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.failure = FetchFailed(reason=reason, message=message, passing=passing)


def fetch(request: HubRequest, tell: Callable[[Progress], None]) -> Fetched | FetchFailed:
    """Bring the files into the tree, verify them, and only then make the commit known."""
    origin = request.origin
    try:
        with _alone(Path(request.hub_dir), origin.repository):
            return _fetch(request, tell)
    except Refused as refused:
        return refused.failure
    except Exception as error:  # the process's outermost border: any error is an answer
        return explained(error, origin, has_token=request.token is not None)


def _fetch(request: HubRequest, tell: Callable[[Progress], None]) -> Fetched:
    origin, hub_dir = request.origin, Path(request.hub_dir)
    commit, files = _listing(request)
    chosen = _chosen(origin, files)
    total = sum(file.size for file in chosen)
    _check_space(hub_dir, origin, chosen)
    meter = Meter(total, lambda done: tell(Progress(bytes_done=done, bytes_total=total)))
    tell(Progress(bytes_done=0, bytes_total=total))
    with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
        futures = [threads.submit(_file, request, commit, file, meter) for file in chosen]
        try:
            for future in futures:
                future.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    publish(hub_dir, origin.repository, origin.revision, commit, {f.path: f for f in files})
    root = snapshot_dir(hub_dir, origin.repository, commit)
    path = root / origin.filename if origin.filename else root
    return Fetched(
        path=str(path),
        revision=commit,
        files=tuple(FileMark(path=str(root / file.path), size=file.size) for file in chosen),
    )


def _listing(request: HubRequest) -> tuple[str, list[RepositoryFile]]:
    origin = request.origin
    api = HfApi(token=request.token)
    commit = api.model_info(origin.repository, revision=origin.revision).sha
    if commit is None:
        words = f"the hub names no commit for {origin.repository}@{origin.revision}"
        raise Refused("RevisionNotFound", words, passing=False)
    entries = api.list_repo_tree(origin.repository, recursive=True, revision=commit)
    files = [_described(entry) for entry in entries if isinstance(entry, RepoFile)]
    unsafe = next((file.path for file in files if not leads_inside(file.path)), None)
    if unsafe is not None:
        words = f"{origin.repository} has a file named {unsafe!r}, which leads out of it"
        raise Refused("UnsafeRepository", words, passing=False)
    return commit, files


def _described(entry: RepoFile) -> RepositoryFile:
    return RepositoryFile(
        path=entry.path,
        size=entry.lfs.size if entry.lfs else entry.size,
        git_sha1=entry.blob_id,
        sha256=entry.lfs.sha256 if entry.lfs else None,
    )


def _chosen(origin: HubRepository, files: list[RepositoryFile]) -> list[RepositoryFile]:
    if origin.filename is not None:
        names = _parts(origin.filename, files)
        chosen = [file for file in files if file.path in names]
        words = f"{origin.repository}@{origin.revision} has no file {origin.filename!r}"
    else:
        chosen = list(
            filter_repo_objects(
                files,
                allow_patterns=_list(origin.allow_patterns),
                ignore_patterns=_list(origin.ignore_patterns),
                key=lambda file: file.path,
            )
        )
        words = f"{origin.repository}@{origin.revision} has no file that the patterns select"
    if not chosen:
        raise Refused("FileNotFound", words, passing=False)
    return chosen


def _parts(filename: str, files: list[RepositoryFile]) -> frozenset[str]:
    """Return the file's name, or those of all parts of a split GGUF: engines find the others."""
    match = _FIRST_PART.fullmatch(filename)
    if match is None:
        return frozenset({filename})
    stem, count = match.groups()
    every = re.compile(rf"{re.escape(stem)}-\d{{5}}-of-{count}\.gguf")
    return frozenset(file.path for file in files if every.fullmatch(file.path))


def _list(patterns: tuple[str, ...] | None) -> list[str] | None:
    return None if patterns is None else list(patterns)


def _check_space(hub_dir: Path, origin: HubRepository, chosen: list[RepositoryFile]) -> None:
    """Refuse before the first byte what will not fit."""
    blobs = repository_dir(hub_dir, origin.repository) / "blobs"
    missing = [file for file in chosen if not (blobs / (file.sha256 or file.git_sha1)).exists()]
    needed = sum(file.size for file in missing)
    free = shutil.disk_usage(hub_dir).free - RESERVE_BYTES
    if needed > max(free, 0):
        words = f"{origin.repository} needs {needed} bytes and {hub_dir} has {max(free, 0)} to give"
        raise Refused("NoSpace", words, passing=True)


def _file(request: HubRequest, commit: str, file: RepositoryFile, meter: Meter) -> None:
    """Bring one file; bytes that are not the hub's are discarded and fetched once more."""
    for _ in range(ATTEMPTS_AT_GENUINE_BYTES):
        local = Path(
            hf_hub_download(
                request.origin.repository,
                file.path,
                revision=commit,
                cache_dir=request.hub_dir,
                token=request.token,
                tqdm_class=_bar(meter, file),
            )
        )
        if is_genuine(file, local):
            meter.finish(file.path, file.size)
            return
        discard(local)
    words = f"{file.path} of {request.origin.repository} arrived with bytes other than the hub's"
    raise Refused("CorruptDownload", words, passing=True)


def _bar(meter: Meter, file: RepositoryFile) -> type[tqdm]:
    """Return the progress bar that the client wants: it shows nothing, and counts."""

    class Bar(tqdm):
        def update(self, n: float | None = 1) -> None:
            meter.add(file.path, int(n or 0), file.size)

    return Bar


@contextmanager
def _alone(hub_dir: Path, repository: str) -> Iterator[None]:
    """Hold the repository's lock: one fetch at a time of each, over all processes of the node.

    Whoever holds it may remove what a killed fetch left: the client neither resumes nor removes
    that.
    """
    lock = hub_dir.parent / "locks" / repository_dir(hub_dir, repository).name
    lock.parent.mkdir(parents=True, exist_ok=True)
    hub_dir.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in (repository_dir(hub_dir, repository) / "blobs").glob("*.incomplete"):
            left.unlink(missing_ok=True)
        yield


def main() -> None:
    die_with_parent()
    request = read_request(sys.stdin.readline())

    def tell(event: Progress | Fetched | FetchFailed) -> None:
        sys.stdout.write(write_event(event) + "\n")
        sys.stdout.flush()

    tell(fetch(request, tell))


if __name__ == "__main__":
    main()

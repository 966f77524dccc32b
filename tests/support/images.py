"""Carries out a Dockerfile's steps in directories, where there is no docker.

    cd tests && python -m support.images agent-cpu BASE OUT docker.io/library/llmaz-agent:0.1.0

as root. BASE has the files of what the Dockerfile calls `python:...`: a system with Python and pip.
OUT/STAGE gets those of each stage, and OUT/TARGET.tar is the image. A step runs in a chroot with
this process's network and its variables of pip, and so for trusted files alone.
"""

import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.chart import ROOT
from support.dockerfile import Copy, Dockerfile, Step, copy_of, expanded, lets_through, read

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a stage leaves to those that are FROM it, and to who runs it."""

    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    user: str = "0:0"
    directory: str = "/"
    entrypoint: tuple[str, ...] = ()

    def after(self, step: Step) -> "Config":
        match step.keyword:
            case "ENV":
                pairs = (word.partition("=") for word in step.words)
                env = {name: expanded(value, self.env) for name, _, value in pairs}
                return replace(self, env={**self.env, **env})
            case "USER":
                return replace(self, user=step.text)
            case "WORKDIR":
                return replace(self, directory=step.text)
            case "ENTRYPOINT":
                return replace(self, entrypoint=step.words)
        return self

    def to_json(self) -> dict[str, object]:
        """Return what an OCI image's configuration calls `config`."""
        return {
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "User": self.user,
            "WorkingDir": self.directory,
            "Entrypoint": list(self.entrypoint),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where images are made, and of what: a context, less what its .dockerignore keeps out."""

    context: Path
    ignore: str
    base: Path
    out: Path

    def make(self, images: Dockerfile, target: str) -> Config:
        """Make a stage and all that it needs; return how it is run."""
        configs: dict[str, Config] = {}
        for stage in images.needed(target):
            before = self.base if stage.base not in configs else self.out / stage.base
            root = self.out / stage.name
            root.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", str(before), str(root)], check=True)  # devices as well
            config = configs.get(stage.base, Config())
            for step in stage.steps:
                config = config.after(step)
                self._perform(step, root, config)
            configs[stage.name] = config
        return configs[target]

    def _perform(self, step: Step, root: Path, config: Config) -> None:
        match step.keyword:
            case "WORKDIR":
                _inside(root, config.directory).mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(copy_of(step), root, config)
            case "RUN":
                _run(step.text, root, config)

    def _copy(self, copy: Copy, root: Path, config: Config) -> None:
        """Copy as COPY does: what is in a directory, and files under their names into one."""
        target = _inside(root, str(Path(config.directory) / copy.target))
        into = copy.target.endswith("/") or len(copy.sources) > 1
        for source in copy.sources:
            where = _inside(self.out / copy.stage, source) if copy.stage else self.context / source
            if where.is_dir():
                kept_out = None if copy.stage else self._kept_out
                shutil.copytree(where, target, symlinks=True, dirs_exist_ok=True, ignore=kept_out)
                continue
            to = target / where.name if into else target
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(where, to)

    def _kept_out(self, directory: str, names: list[str]) -> set[str]:
        inside = Path(directory).relative_to(self.context)
        return {name for name in names if not lets_through(self.ignore, inside / name)}


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _run(text: str, root: Path, config: Config) -> None:
    own = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    inside = ["/bin/sh", "-c", f"cd {shlex.quote(config.directory)} && {text}"]
    subprocess.run(
        ["chroot", f"--userspec={config.user}", str(root), *inside],
        env={**own, **config.env},
        check=True,
    )


def archive(root: Path, config: Config, name: str, path: Path) -> None:
    """Write an image of one layer as `docker save` does; `ctr images import` takes it."""
    layer = path.with_suffix(".layer")
    subprocess.run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(layer), "."], check=True)
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    about = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        "os": "linux",
        "config": config.to_json(),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    described = json.dumps(about).encode()
    key = f"{hashlib.sha256(described).hexdigest()}.json"
    contents = [{"Config": key, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for member, text in ((key, described), ("manifest.json", json.dumps(contents).encode())):
            entry = tarfile.TarInfo(member)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        tar.add(layer, "layer.tar")
    layer.unlink()


def main() -> None:
    target, base, out, name = sys.argv[1:]
    folder = ROOT / "daemonset"
    workshop = Workshop(
        context=ROOT,
        ignore=(folder / "Dockerfile.dockerignore").read_text(),
        base=Path(base).resolve(),
        out=Path(out).resolve(),
    )
    config = workshop.make(read((folder / "Dockerfile").read_text()), target)
    archive(workshop.out / target, config, name, workshop.out / f"{target}.tar")


if __name__ == "__main__":
    main()

"""An image's steps carried out in directories, of a base that is one static program."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

import pytest

from support.dockerfile import read
from support.images import Config, Workshop, archive

DOCKERFILE = """
ARG V=1
FROM box:${V} AS built
WORKDIR /src
COPY one two.txt ./
COPY kept kept
RUN mkdir /made && cat two.txt > /made/said && id -u >> /made/said

FROM box:${V} AS program
ENV PATH=/made:$PATH GREETING=hello
USER 65532:65532

FROM program AS final
COPY --from=built /made /made
RUN echo "$GREETING $(id -u)" > /tmp/told
ENTRYPOINT ["said", "--loud"]
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    context = tmp_path / "context"
    for name, text in (("one", "1"), ("two.txt", "two"), ("kept/a", "a"), ("kept/b.log", "b")):
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (tmp_path / "base").mkdir()
    return Workshop(
        context=context,
        ignore="*\n!one\n!two.txt\n!kept\n**/*.log",
        base=tmp_path / "base",
        out=tmp_path / "out",
    )


def test_what_is_copied_lies_where_docker_would_put_it(workshop: Workshop) -> None:
    images = read("".join(line for line in DOCKERFILE.splitlines(True) if "RUN" not in line))
    workshop.make(images, "built")
    src = workshop.out / "built/src"
    assert (src / "one").read_text() == "1\n"
    assert (src / "two.txt").read_text() == "two\n"
    assert [path.name for path in (src / "kept").iterdir()] == ["a"]


def test_a_stage_hands_on_its_variables_and_its_user() -> None:
    config = Config()
    for stage in read(DOCKERFILE).lineage("final"):
        for step in stage.steps:
            config = config.after(step)
    told = config.to_json()
    assert told["User"] == "65532:65532"
    assert told["Entrypoint"] == ["said", "--loud"]
    assert told["WorkingDir"] == "/"
    assert "PATH=/made:/usr/local/sbin:" in json.dumps(told)


def test_an_image_is_archived_with_its_files_and_how_it_is_run(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "made").mkdir(parents=True)
    (root / "made/said").write_text("two")
    archive(root, Config(user="65532:65532"), "box:1", tmp_path / "box.tar")
    with tarfile.open(tmp_path / "box.tar") as tar:
        (image,) = json.load(_member(tar, "manifest.json"))
        config = json.load(_member(tar, image["Config"]))
        layer = _member(tar, *image["Layers"]).read()
    assert image["RepoTags"] == ["box:1"]
    assert config["config"]["User"] == "65532:65532"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert _member(tar, "./made/said").read() == b"two"
    assert not (tmp_path / "box.layer").exists()


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    found = tar.extractfile(name)
    assert found is not None
    return found


def test_steps_run_in_their_own_root_as_their_user(workshop: Workshop) -> None:
    box = shutil.which("busybox")
    if box is None or os.geteuid() != 0 or b"interp" in _headers(box):
        pytest.skip("a chroot takes root, and its base a static busybox")
    for folder in ("bin", "tmp"):
        (workshop.base / folder).mkdir()
    (workshop.base / "tmp").chmod(0o1777)
    shutil.copy2(box, workshop.base / "bin/busybox")
    for name in ("sh", "cat", "mkdir", "id"):
        (workshop.base / "bin" / name).symlink_to("busybox")
    workshop.make(read(DOCKERFILE), "final")
    final = workshop.out / "final"
    assert (final / "made/said").read_text() == "two\n0\n"
    assert (final / "tmp/told").read_text() == "hello 65532\n"
    assert not (final / "src").exists()
    assert (final / "tmp/told").stat().st_uid == 65532
    assert list(workshop.base.iterdir()) != []


def _headers(program: str) -> bytes:
    """Return the start of a program, in which a dynamic one names its loader."""
    return Path(program).read_bytes()[:4096].replace(b"ld-linux", b"interp")

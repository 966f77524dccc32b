"""A real kube-apiserver with its etcd, started as envtest does: from a directory of binaries.

Where a kube-controller-manager lies beside them, its garbage collector and its namespace controller
run too, which the embedded server has in itself. Its other controllers do not: a node of these
tests has no kubelet, and would be given up.
"""

import contextlib
import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.freeport import free_port
from support.plane import ControlPlane, plane_of

READY_SECONDS = 120.0
_CONTROLLERS = (
    "--controllers=garbage-collector-controller,namespace-controller",
    "--leader-elect=false",
    "--secure-port=0",
)


@contextmanager
def real_control_plane(
    assets: Path, directory: Path, *, admission: tuple[str, ...] = ()
) -> Iterator[ControlPlane]:
    """Run the programs inside the `with` block, the server with more admission plugins."""
    directory.mkdir(parents=True, exist_ok=True)
    client, peer, secure = free_port(), free_port(), free_port()
    token = secrets.token_urlsafe(16)
    etcd = [str(assets / "etcd"), f"--data-dir={directory / 'etcd'}"]
    etcd += [f"--listen-client-urls=http://127.0.0.1:{client}"]
    etcd += [f"--advertise-client-urls=http://127.0.0.1:{client}"]
    etcd += [f"--listen-peer-urls=http://127.0.0.1:{peer}", "--unsafe-no-fsync"]
    certificates = directory / "certificates"
    api = [str(assets / "kube-apiserver"), *_arguments(directory, token)]
    api += [f"--etcd-servers=http://127.0.0.1:{client}", f"--secure-port={secure}"]
    api += [f"--cert-dir={certificates}"]
    api += [f"--enable-admission-plugins={','.join(admission)}"] if admission else []
    log = directory / "apiserver.log"
    with ExitStack() as programs:
        programs.enter_context(_running(etcd, directory / "etcd.log"))
        server = programs.enter_context(_running(api, log))
        authority = certificates / "apiserver.crt"  # it signs itself, and the server makes it
        if not _is_ready(server, f"https://127.0.0.1:{secure}", authority, token):
            raise AssertionError(f"no kube-apiserver: {log.read_text()[-2000:]}")
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(f"https://127.0.0.1:{secure}", authority, token))
        manager = assets / "kube-controller-manager"
        if manager.exists():
            controllers = [str(manager), *_CONTROLLERS, f"--kubeconfig={kubeconfig}"]
            programs.enter_context(_running(controllers, directory / "controllers.log"))
        yield plane_of(kubeconfig, directory, real=True, collects=manager.exists())


def _arguments(directory: Path, token: str) -> list[str]:
    tokens = directory / "tokens.csv"
    tokens.write_text(f'{token},admin,admin,"system:masters"\n')
    key = directory / "service-accounts.key"
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return [
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",  # else it looks for a default route, and ends without one
        "--service-cluster-ip-range=10.96.0.0/16",
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    ]


def _kubeconfig(url: str, authority: Path, token: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "t", "cluster": {"server": url, "certificate-authority": str(authority)}}
            ],
            "users": [{"name": "t", "user": {"token": token}}],
            "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
            "current-context": "t",
        }
    )


@contextmanager
def _running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_ready(server: "subprocess.Popen[bytes]", url: str, authority: Path, token: str) -> bool:
    """Wait until the server answers; false if it ended, or took too long."""
    deadline = time.monotonic() + READY_SECONDS
    asked = [
        urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
        for path in ("/readyz", "/api/v1/namespaces/default")
    ]
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError):
            trusted = ssl.create_default_context(cafile=str(authority))
            for request in asked:
                urllib.request.urlopen(request, context=trusted).close()
            return True
        time.sleep(0.2)
    return False

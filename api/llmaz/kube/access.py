"""How an API server is reached: by a kubeconfig, or by what Kubernetes gives to a pod.

Both are read here and not by the official client, which loads every protocol that it knows, and all
of the synchronous client: that was a third of the agent's memory. Only a kubeconfig that names a
plug-in is left to it.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmaz.kube import credentials
from llmaz.kube.credentials import Authorization, Identity, TokenFile
from llmaz.kube.errors import KubeError
from llmaz.kube.kubeconfig import Cluster, Kubeconfig, content

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server, and the credentials for it."""

    server: str
    tls: ssl.SSLContext
    server_name: str | None = None
    proxy: str | None = None
    authorization: Authorization


async def from_kubeconfig(path: Path) -> Access:
    """Use the current context of a kubeconfig; raise KubeError with what is wrong with it."""
    try:
        cluster, user = (await asyncio.to_thread(_read, path)).current()
        if user.by_plugin:
            from llmaz.kube import plugin  # noqa: PLC0415  # weighs as much as all the rest

            who = await plugin.identity(path)
        else:
            who = await asyncio.to_thread(credentials.identity, user, path.parent)
        return await asyncio.to_thread(_access, cluster, who, path.parent)
    except OSError as error:
        where = path if error.filename in (None, str(path)) else f"{path}: {error.filename}"
        is_missing = isinstance(error, FileNotFoundError)
        words = "there is no such file" if is_missing else error.strerror or str(error)
        raise KubeError(f"{where}: {words}") from error
    except ValueError as error:
        raise KubeError(f"{path}: {error}") from error


def from_pod(environ: Mapping[str, str], directory: Path = SERVICE_ACCOUNT) -> Access:
    """Use a pod's service account; raise KubeError where there is none."""
    host, port = (environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    try:
        if not host or not port:
            raise ValueError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
        return Access(
            server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            tls=ssl.create_default_context(cafile=str(directory / "ca.crt")),
            authorization=TokenFile(directory / "token"),
        )
    except (OSError, ValueError) as error:
        message = f"in-cluster configuration (no kubeconfig was given): {error}"
        raise KubeError(message) from error


def _read(path: Path) -> Kubeconfig:
    import yaml  # noqa: PLC0415  # pods have no kubeconfig, and need none of it

    try:
        return Kubeconfig.from_manifest(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _access(cluster: Cluster, who: Identity, base: Path) -> Access:
    authority = content("certificate-authority", cluster.authority_data, cluster.authority, base)
    tls = ssl.create_default_context(cadata=authority)
    if cluster.insecure:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if who.certificate is not None:
        _present(tls, who.certificate, who.key)
    return Access(
        server=cluster.server.rstrip("/"),
        tls=tls,
        server_name=cluster.server_name,
        proxy=cluster.proxy_url,
        authorization=who.authorization,
    )


def _present(tls: ssl.SSLContext, certificate: str, key: str | None) -> None:
    """Have a context present a client's certificate. OpenSSL reads it from a file alone."""
    with tempfile.NamedTemporaryFile("w", prefix="llmaz-") as file:  # for this user alone
        file.write(f"{certificate.strip()}\n{key or ''}")
        file.flush()
        tls.load_cert_chain(file.name)

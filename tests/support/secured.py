"""An API server behind TLS that answers with who asked it, and the files that kubeconfigs name."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from aiohttp import ClientTimeout, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llmaz.kube.connection import Connection

NAME = "kube.test"  # beside its address, in its certificate


@dataclass(frozen=True)
class Secured:
    """The server, and one certificate that is authority, server and client in one."""

    url: str
    certificate: Path
    key: Path

    def kubeconfig(self, directory: Path, user: object, **cluster: object) -> Path:
        """Write a kubeconfig of one user, whose authority is named beside the file."""
        path = directory / "kubeconfig"
        authority = {"certificate-authority": str(self.certificate)}
        at = {"server": self.url, **authority, **cluster}
        config = {
            "current-context": "here",
            "preferences": {},
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": at}],
            "users": [{"name": "u", "user": user}],
        }
        path.write_text(yaml.safe_dump(config))
        return path


async def asked(kubeconfig: Path) -> object:
    """Ask the server of a kubeconfig who asks."""
    connection = await Connection.open(kubeconfig)
    try:
        return await whoami(connection)
    finally:
        await connection.close()


async def whoami(connection: Connection) -> object:
    timeout = ClientTimeout(total=60)
    return await connection.ask("GET", "/whoami", request="whoami", query={}, timeout=timeout)


@asynccontextmanager
async def secured(directory: Path) -> AsyncIterator[Secured]:
    certificate, key = await asyncio.to_thread(_certified, directory)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    tls.load_cert_chain(certificate, key)
    tls.verify_mode = ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_get("/whoami", _whoami)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield Secured(f"https://127.0.0.1:{runner.addresses[0][1]}/", certificate, key)
    finally:
        await runner.cleanup()


async def _whoami(request: web.Request) -> web.Response:
    presented = request.transport is not None and request.transport.get_extra_info("peercert")
    header = request.headers.get("Authorization")
    return web.json_response({"authorization": header, "certificate": bool(presented)})


def _certified(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address, x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = directory / "whole.crt", directory / "whole.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files

"""Servers whose certificates an authority of one's own has signed."""

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import WebFile
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest
from support import rooms
from support.downloads import Downloads
from support.origins import WebKind
from support.weights import gguf

FILES = {"model.gguf": gguf(tensors=1, padding=2**16)}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "models.test")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "server.pem"
    path.write_bytes(key.private_bytes(pem, pkcs8, bare) + signed.public_bytes(pem))
    return path


async def _fetch(certificate: Path, cache: Path, **environ: str) -> Fetched | FetchFailed:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    app = web.Application()
    app.add_routes(WebKind(FILES, Downloads()).routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}/models/model.gguf"
        request = FetchRequest(origin=WebFile(url=url), cache_dir=str(cache))
        child = FetchChild({**os.environ, **environ})
        return await child.fetch(request, lambda _: None, rooms.plenty)
    finally:
        await runner.cleanup()


async def test_a_certificate_that_nobody_knows_is_refused(
    certificate: Path, tmp_path: Path
) -> None:
    outcome = await _fetch(certificate, tmp_path / "cache")
    assert isinstance(outcome, FetchFailed)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.message


async def test_an_authority_of_ones_own_is_trusted_by_its_file(
    certificate: Path, tmp_path: Path
) -> None:
    outcome = await _fetch(certificate, tmp_path / "cache", SSL_CERT_FILE=str(certificate))
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == FILES["model.gguf"]

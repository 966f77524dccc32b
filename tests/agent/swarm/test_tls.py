"""Nodes that speak TLS to each other, each of them proving itself."""

import random
import ssl
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.sharing.tls import TlsFiles, client_context
from support.downloads import Downloads
from support.hub import Repository, serving
from support.sharing import permission, stored
from support.swarmnodes import swarm_nodes
from support.weights import gguf

MODEL = gguf(tensors=1, padding=4 * 2**20)


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    """Return a certificate that all nodes show, and that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nodes.test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, bare = serialization.Encoding.PEM, serialization.NoEncryption()
    private = tmp_path / "nodes.key"
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, bare))
    shown = tmp_path / "nodes.crt"
    shown.write_bytes(signed.public_bytes(pem))
    return TlsFiles(certificate=str(shown), key=str(private), authority=str(shown))


async def test_nodes_share_over_tls_and_who_shows_no_certificate_gets_nothing(
    tmp_path: Path, tls: TlsFiles
) -> None:
    downloads = Downloads()
    hub = {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}
    async with serving(hub) as served, swarm_nodes(tmp_path, ["a", "b"], tls=tls) as (a, b):
        assert a.served.url.startswith("https://")
        assert isinstance(await a.fetch(served.url), Fetched)
        assert isinstance(await b.fetch(served.url), Fetched)
        assert b.told[-1].tally.from_peers > 0
        context = ssl.create_default_context(cafile=tls.authority)
        context.check_hostname = False
        key = "a" * 64
        async with (
            aiohttp.ClientSession() as http,
            http.get(
                f"{a.served.url}/v1/blobs/{key}", headers=permission(key), ssl=context
            ) as answer,
        ):
            assert answer.status == 403


async def test_a_range_is_right_although_another_of_the_file_is_sent_before_its_end(
    tmp_path: Path, tls: TlsFiles
) -> None:
    data = random.Random(7).randbytes(24 * 2**20)  # more than lies in buffers on the way
    async with swarm_nodes(tmp_path, ["a"], tls=tls) as (a,):
        key = stored(a.cache_dir, data)
        context = client_context(tls)
        async with aiohttp.ClientSession(f"{a.served.url}/v1/blobs/") as http:

            def bring(start: int, end: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
                headers = permission(key) | {"Range": f"bytes={start}-{end - 1}"}
                return http.get(key, headers=headers, ssl=context)

            async with bring(0, len(data)) as whole:
                assert whole.status == 206
                async with bring(2**20, 2**21) as part:
                    assert await part.read() == data[2**20 : 2**21]
                assert await whole.read() == data

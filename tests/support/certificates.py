"""Authorities that sign certificates of nodes, in files as a mounted Secret has them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llmaz.agent.sharing.tls import TlsFiles

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Authority:
    """Signs certificates of nodes."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def named(cls, name: str) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        return cls(key, builder.sign(key, hashes.SHA256()))

    def issue(self, folder: Path) -> TlsFiles:
        """Write a new certificate, its key and the authority's own; each as a whole."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.rfc4514_string().removeprefix("CN=")
        signed = _builder("nodes.test", issuer, key).sign(self.key, hashes.SHA256())
        bare = serialization.NoEncryption()
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, bare)
        return TlsFiles(
            key=_written(folder / "tls.key", private),
            certificate=_written(folder / "tls.crt", signed.public_bytes(_PEM)),
            authority=_written(folder / "ca.crt", self.certificate.public_bytes(_PEM)),
        )


def _written(path: Path, text: bytes) -> str:
    beside = path.with_suffix(".new")
    beside.write_bytes(text)
    beside.replace(path)
    return str(path)


def _builder(name: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

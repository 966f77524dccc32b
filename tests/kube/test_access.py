"""Credentials against a real server behind TLS: each way of proving who asks."""

import base64
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llmaz.kube import KubeError, Unavailable, access
from llmaz.kube.connection import Connection
from support.secured import NAME, Secured, asked, secured, whoami


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(tmp_path) as serving:
        yield serving


async def test_a_token_is_sent_to_a_server_that_the_authority_vouches_for(
    server: Secured, tmp_path: Path
) -> None:
    kubeconfig = server.kubeconfig(tmp_path, {"token": "letmein"})
    assert await asked(kubeconfig) == {"authorization": "Bearer letmein", "certificate": False}


async def test_a_name_and_a_password_are_sent_as_such(server: Secured, tmp_path: Path) -> None:
    kubeconfig = server.kubeconfig(tmp_path, {"username": "me", "password": "secret"})
    pair = base64.b64encode(b"me:secret").decode()
    assert await asked(kubeconfig) == {"authorization": f"Basic {pair}", "certificate": False}


async def test_a_user_without_credentials_asks_without_any(server: Secured, tmp_path: Path) -> None:
    assert await asked(server.kubeconfig(tmp_path, {})) == {
        "authorization": None,
        "certificate": False,
    }


async def test_a_client_certificate_is_presented_from_files_beside_the_kubeconfig(
    server: Secured, tmp_path: Path
) -> None:
    user = {"client-certificate": server.certificate.name, "client-key": server.key.name}
    kubeconfig = server.kubeconfig(tmp_path, user)
    assert await asked(kubeconfig) == {"authorization": None, "certificate": True}


async def test_certificates_in_the_kubeconfig_itself_win_over_files(
    server: Secured, tmp_path: Path
) -> None:
    certificate = base64.b64encode(server.certificate.read_bytes()).decode()
    key = base64.b64encode(server.key.read_bytes()).decode()
    kubeconfig = server.kubeconfig(
        tmp_path,
        {"client-certificate-data": certificate, "client-key-data": key, "client-key": "/none"},
        **{"certificate-authority-data": certificate, "certificate-authority": "/none"},
    )
    assert await asked(kubeconfig) == {"authorization": None, "certificate": True}


async def test_a_server_that_no_authority_vouches_for_is_sent_no_token(
    server: Secured, tmp_path: Path
) -> None:
    kubeconfig = server.kubeconfig(tmp_path, {"token": "t"}, **{"certificate-authority": None})
    with pytest.raises(Unavailable, match="certificate verify failed"):
        await asked(kubeconfig)


async def test_a_kubeconfig_may_trust_whoever_answers(server: Secured, tmp_path: Path) -> None:
    careless = {"certificate-authority": None, "insecure-skip-tls-verify": True}
    kubeconfig = server.kubeconfig(tmp_path, {"token": "t"}, **careless)
    assert await asked(kubeconfig) == {"authorization": "Bearer t", "certificate": False}


@pytest.mark.parametrize(("name", "right"), [(NAME, True), ("another.test", False)])
async def test_the_name_that_a_kubeconfig_gives_is_the_one_in_the_certificate(
    server: Secured, tmp_path: Path, name: str, right: bool
) -> None:
    kubeconfig = server.kubeconfig(tmp_path, {"token": "t"}, **{"tls-server-name": name})
    if right:
        assert await asked(kubeconfig)
        return
    with pytest.raises(Unavailable, match=r"another\.test"):
        await asked(kubeconfig)


async def test_a_plug_in_of_the_kubeconfig_makes_the_token(server: Secured, tmp_path: Path) -> None:
    said = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
        ' "status": {"token": "made"}}'
    )
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", f"print({said!r})"],
        "interactiveMode": "Never",
    }
    kubeconfig = server.kubeconfig(tmp_path, {"exec": plugin})
    assert await asked(kubeconfig) == {"authorization": "Bearer made", "certificate": False}


async def test_a_plug_in_that_fails_is_told(server: Secured, tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false"}
    with pytest.raises(KubeError, match=r"kubeconfig: .*plug-in gave no credentials"):
        await asked(server.kubeconfig(tmp_path, {"exec": plugin}))


async def test_a_pod_uses_its_service_account(server: Secured, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(server.certificate.read_bytes())
    (tmp_path / "token").write_text("projected\n")
    port = server.url.rstrip("/").rpartition(":")[2]
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}
    connection = Connection(access.from_pod(environ, tmp_path))
    try:
        answer = await whoami(connection)
    finally:
        await connection.close()
    assert answer == {"authorization": "Bearer projected", "certificate": False}


def test_outside_a_pod_the_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="no kubeconfig was given"):
        access.from_pod({}, tmp_path)
    environ = {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(KubeError, match=r"No such file"):
        access.from_pod(environ, tmp_path)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"token": ["a"]}, r"kubeconfig: users\[0\].user.token: must be"),
        ({"client-certificate-data": "?"}, "kubeconfig: client-certificate-data: "),
        ({"client-certificate": "none.crt"}, r"kubeconfig: .*none\.crt"),
        ({"tokenFile": "empty"}, "kubeconfig: .*empty is empty"),
    ],
)
async def test_what_is_wrong_with_a_user_is_told_with_its_place(
    server: Secured, tmp_path: Path, user: object, words: str
) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(KubeError, match=words):
        await asked(server.kubeconfig(tmp_path, user))


def test_the_official_client_is_not_loaded_for_a_plain_kubeconfig() -> None:
    """It weighs as much as a whole agent."""
    code = "import sys, llmaz.kube; print(sum(m.startswith('kubernetes') for m in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "0"

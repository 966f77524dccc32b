"""Where credentials are sent, and where not."""

from pathlib import Path

import pytest

from llmaz.agent.cache.origin import Bucket, HubRepository
from llmaz.agent.cache.remote import Refused
from llmaz.agent.cache.request import FetchRequest, read_request, write_request
from llmaz.agent.cache.sources.answers import check_way
from llmaz.agent.cache.sources.every import source_of
from llmaz.api.source import Hub

TOKEN = "a-token-that-shows-nowhere"
FAR = "http://hub.example:8080"


def test_a_token_goes_to_no_place_without_tls_that_is_not_listed() -> None:
    with pytest.raises(
        Refused, match=r"hub\.example:8080 would be sent .* --plain-http"
    ) as refused:
        check_way(FAR, (), is_secret=True)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("https://hub.example", ()),
        ("http://127.0.0.1:8080", ()),
        ("http://[::1]:8080", ()),
        ("http://localhost", ()),
        (FAR, ("hub.example",)),
        (FAR, ("hub.example:8080",)),
    ],
)
def test_a_token_goes_over_tls_to_this_machine_and_where_it_is_listed(
    url: str, listed: tuple[str, ...]
) -> None:
    check_way(url, listed, is_secret=True)


def test_without_a_token_any_place_may_be_asked() -> None:
    check_way(FAR, (), is_secret=False)


@pytest.mark.parametrize(
    ("origin", "credentials"),
    [
        (HubRepository(repository="acme/m", revision="main"), {"HF_TOKEN": TOKEN}),
        (
            HubRepository(hub=Hub.MODELSCOPE, repository="acme/m", revision="main"),
            {"MODELSCOPE_API_TOKEN": TOKEN},
        ),
        (
            Bucket(scheme="s3", bucket="b", key="m"),
            {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": TOKEN},
        ),
    ],
)
def test_every_source_with_a_token_is_held_to_it(
    origin: HubRepository | Bucket, credentials: dict[str, str], tmp_path: Path
) -> None:
    environ = dict.fromkeys(("HF_ENDPOINT", "MODELSCOPE_ENDPOINT", "AWS_ENDPOINT_URL"), FAR)
    request = FetchRequest(origin=origin, cache_dir=str(tmp_path), credentials=credentials)
    with pytest.raises(Refused, match="in the clear"):
        source_of(request, environ)
    listed = FetchRequest(
        origin=origin,
        cache_dir=str(tmp_path),
        credentials=credentials,
        plain_http=("hub.example",),
    )
    source_of(read_request(write_request(listed)), environ)

"""Which cluster and which user a kubeconfig's current context names."""

import pytest

from llmaz.api.manifest import ManifestError
from llmaz.kube.kubeconfig import Cluster, Kubeconfig, User

CLUSTERS = [{"name": "a", "cluster": {"server": "https://a", "extensions": []}}]
USERS = [{"name": "me", "user": {"token": "secret"}}]


def kubeconfig(context: dict[str, str], **more: object) -> Kubeconfig:
    contexts = [{"name": "other", "context": {"cluster": "b"}}, {"name": "x", "context": context}]
    manifest = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": contexts,
        "clusters": CLUSTERS,
        "users": USERS,
    }
    return Kubeconfig.from_manifest(manifest | more)


def test_the_current_context_names_a_cluster_and_a_user() -> None:
    assert kubeconfig({"cluster": "a", "user": "me", "namespace": "n"}).current() == (
        Cluster(server="https://a"),
        User(token="secret"),
    )


def test_a_context_without_a_user_asks_as_nobody() -> None:
    assert kubeconfig({"cluster": "a"}).current()[1] == User()


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"cluster": "b"}, "clusters: has no 'b'"),
        ({"cluster": "a", "user": "you"}, "users: has no 'you'"),
    ],
)
def test_what_the_context_names_and_the_file_has_not_is_told(
    context: dict[str, str], words: str
) -> None:
    with pytest.raises(ManifestError, match=words):
        kubeconfig(context).current()


def test_a_missing_context_is_told() -> None:
    with pytest.raises(ManifestError, match="contexts: has no 'y'"):
        kubeconfig({"cluster": "a"}, **{"current-context": "y"}).current()


def test_secrets_are_in_no_representation() -> None:
    assert "secret" not in repr(kubeconfig({"cluster": "a", "user": "me"}))

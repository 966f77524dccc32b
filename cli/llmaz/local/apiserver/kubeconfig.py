"""The kubeconfig with which kubectl and the programs reach the server."""

import base64

import yaml

NAME = "llmaz"


def kubeconfig(url: str, authority: bytes, token: str) -> bytes:
    """Return a kubeconfig for one server, whole in one file."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": NAME,
                "cluster": {
                    "server": url,
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                },
            }
        ],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()

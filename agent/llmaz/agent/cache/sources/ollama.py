"""A model of an Ollama registry: of its manifest's layers, the one with the weights."""

from dataclasses import dataclass

from llmaz.agent.cache.origin import OllamaModel, name_of
from llmaz.agent.cache.remote import Headers, Listing, Refused, RemoteFile, Target
from llmaz.agent.cache.sources.answers import hexadecimal, is_loopback, number, pinned, refusal
from llmaz.agent.cache.wire import CutError, Wire, json_of

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_WEIGHTS = "application/vnd.ollama.image.model"


@dataclass(frozen=True)
class Ollama:
    """One model."""

    origin: OllamaModel
    wire: Wire

    def listing(self) -> Listing:
        target = Target(
            url=f"{self._where()}/manifests/{self.origin.tag}", headers={"Accept": _MANIFEST}
        )
        answer, body = self.wire.text(target)
        if answer.status == 404:
            words = f"the registry has no {name_of(self.origin)}"
            raise Refused("RepositoryNotFound", words, passing=False)
        if answer.status != 200:
            raise refusal(answer.status, name_of(self.origin))
        said = json_of(body, "the registry")
        layers = said.get("layers") if isinstance(said, dict) else None
        if not isinstance(layers, list):
            raise CutError("the registry's manifest names no layers")
        found = [layer for layer in layers if layer.get("mediaType") == _WEIGHTS]
        if len(found) != 1:
            words = f"{name_of(self.origin)} has {len(found)} files of weights, where one is read"
            raise Refused("NotAModel", words, passing=False)
        digest = hexadecimal(str(found[0].get("digest")).removeprefix("sha256:"), 64)
        if digest is None:
            raise CutError("the registry's manifest names no sha256 of the weights")
        size = number(found[0].get("size"))
        file = RemoteFile(path="model.gguf", size=size, sha256=digest)
        return pinned([file], anonymous=True)

    def target(self, file: RemoteFile) -> Target:
        return Target(url=f"{self._where()}/blobs/sha256:{file.sha256}")

    def why(self, status: int, headers: Headers) -> Refused | None:  # noqa: ARG002
        """Say nothing: a registry's statuses mean the same as everywhere."""
        return None

    def _where(self) -> str:
        scheme = "http" if is_loopback(self.origin.registry) else "https"
        return f"{scheme}://{self.origin.registry}/v2/{self.origin.repository}"

"""The controller while its API server dies and comes back."""

from pathlib import Path

from llmaz.api.kinds import NAMESPACE
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.kube import Kube
from support.cluster import install, make_namespace
from support.controllerprocess import Cluster, ControllerProcess
from support.controlplane import EmbeddedServer


async def test_an_outage_of_the_api_server_ends_nothing(
    embedded_server: EmbeddedServer, tmp_path: Path
) -> None:
    plane = embedded_server.start()
    controller = ControllerProcess(plane.kubeconfig, tmp_path / "controller.log")
    async with await Kube.connect(plane.kubeconfig) as kube:
        await install(kube)
        await make_namespace(kube, SYSTEM_NAMESPACE)
        await make_namespace(kube, "team")
        controller.start()
        cluster = Cluster(kube, "team")
        agent = await cluster.agent(gpus=2)
        model = await cluster.model("qwen", agent)
        await cluster.playground("chat", model)
        (before,) = await agent.assigned(["team/chat-0"])
        embedded_server.kill()
        embedded_server.start()
        assert (await kube.get(NAMESPACE, "team"))["kind"] == "Namespace"
        await cluster.playground("chat", model, 2)
        after = await agent.assigned(["team/chat-0", "team/chat-1"])
        assert after[0] == before
    assert controller.stop() == 0

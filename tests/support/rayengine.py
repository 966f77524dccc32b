"""What `vllm serve` is on Ray, without a model: each token comes from every node of the cluster.

It refuses to start in a cluster of another size than it was told, as vLLM does.
"""

import argparse
import asyncio

import ray
from aiohttp import web
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


def compute() -> str:
    """One node's part of a token."""
    return str(ray.util.get_node_ip_address())


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model_path")
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--pipeline-parallel-size", type=int, default=1)
    parser.add_argument("--distributed-executor-backend", choices=["ray"], required=True)
    return parser.parse_args()


def alive() -> list[str]:
    return [node["NodeID"] for node in ray.nodes() if node["Alive"]]


def token() -> str:
    """Have every node compute, and name those that did."""
    parts = [
        ray.remote(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(one, soft=False))(
            compute
        )
        for one in alive()
    ]
    return " ".join(sorted(ray.get([part.remote() for part in parts])))


async def serve(given: argparse.Namespace) -> None:
    async def health(_: web.Request) -> web.Response:
        return web.Response()

    async def models(_: web.Request) -> web.Response:
        data = [{"id": given.served_model_name, "object": "model"}]
        return web.json_response({"object": "list", "data": data})

    async def complete(_: web.Request) -> web.Response:
        text = await asyncio.to_thread(token)
        return web.json_response({"choices": [{"index": 0, "text": text}]})

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/completions", complete)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # The agent asks it over loopback, whichever of its addresses a test gives a node.
    await web.TCPSite(runner, "0.0.0.0", given.port).start()
    await asyncio.Event().wait()


def main() -> None:
    given = options()
    ray.init(log_to_driver=False)
    there, wanted = len(alive()), given.tensor_parallel_size * given.pipeline_parallel_size
    if there != wanted:
        raise SystemExit(f"the cluster has {there} nodes and not {wanted}")
    asyncio.run(serve(given))


if __name__ == "__main__":
    main()

"""`run`, `chat`, `logs`, `demo`: from a model's name to its words."""

import os
from pathlib import Path
from typing import Annotated

import typer

from llmaz.cli.errors import CliError
from llmaz.cli.options import (
    Gateway,
    Kubeconfig,
    Namespace,
    connect,
    gateway_url,
    known_gateway,
)
from llmaz.cli.runner import execute, fail


def run(
    model: Annotated[
        str, typer.Argument(help="Hugging Face id, path of a .gguf file, or URI (s3://...).")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the objects; from the model's.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="BackendRuntime; by default what fits.")
    ] = None,
    replicas: Annotated[int, typer.Option(min=0, help="Engines.")] = 1,
    wait: Annotated[bool, typer.Option(help="Wait until it answers.")] = True,
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
    gateway: Gateway = None,
) -> None:
    """Serve a model: make its OpenModel and Playground, and wait until it answers."""

    async def work() -> None:
        from llmaz.cli import naming, starting

        wanted = naming.wanted(model, directory=Path.cwd(), name=name)
        async with await connect(kubeconfig) as kube:
            await starting.create(
                kube, wanted, backend=backend, replicas=replicas, namespace=namespace
            )
            if wait and replicas:
                await starting.wait(kube, namespace, wanted.name)
        if wait and replicas:
            starting.print_how_to_ask(known_gateway(gateway), wanted.name)

    execute(work())


def chat(
    playground: Annotated[str, typer.Argument(help="Playground or model.")],
    message: Annotated[
        str | None, typer.Option("-m", "--message", help="Ask this, print the answer, end.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="Instruction for the model.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.")] = None,
    gateway: Gateway = None,
) -> None:
    """Talk to a model; /exit or Ctrl-D ends.

    Where the gateway asks for an API key, LLMAZ_API_KEY is sent.
    """
    from llmaz.cli.chatting import Conversation

    try:
        key = os.environ.get("LLMAZ_API_KEY", "").strip()
        url = gateway_url(gateway)
        conversation = Conversation(url, playground, system, max_tokens, api_key=key)
        if message is None:
            conversation.talk()
            return
    except CliError as error:
        fail(error)
    execute(conversation.say(message))


def logs(
    playground: Annotated[str, typer.Argument(help="Playground.")],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on printing.")] = False,
    replica: Annotated[int, typer.Option(min=0, help="Which of its engines.")] = 0,
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print what an engine of a Playground said."""

    async def work() -> None:
        from llmaz.cli.enginelogs import log_of, print_log

        async with await connect(kubeconfig) as kube:
            log = await log_of(kube, namespace, playground, replica)
        print_log(log, follow=follow)

    execute(work())


def demo(
    question: Annotated[
        str, typer.Option(help="What to ask.")
    ] = "Which city is the capital of France?",
    environment_seconds: Annotated[
        float, typer.Option(min=0, hidden=True, help="What making this environment took.")
    ] = 0.0,
) -> None:
    """Serve a small real model from nothing, ask it a question, and clean up."""

    async def work() -> None:
        from llmaz.cli.demonstration import demonstrate

        await demonstrate(question, environment_seconds=environment_seconds)

    execute(work())

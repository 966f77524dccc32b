"""Answers a fetch that asks for room."""

from llmaz.agent.cache.request import Room


async def plenty(_: int) -> Room:
    return Room()


async def none(needed: int) -> Room:
    return Room(refusal=f"{needed} bytes are needed")

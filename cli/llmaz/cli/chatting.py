"""`chat`: a conversation in the terminal, streamed."""

import asyncio
import sys

from llmaz.cli.errors import USAGE, CliError
from llmaz.cli.openai import Message, stream_chat

_END = "/exit"


class Conversation:
    """Remembers what was said, and says it to the model each time."""

    def __init__(
        self,
        gateway_url: str,
        model: str,
        system: str | None,
        max_tokens: int | None,
        *,
        api_key: str = "",
    ) -> None:
        self._gateway_url = gateway_url
        self._model = model
        self._max_tokens = max_tokens
        self._api_key = api_key
        self._said: list[Message] = [{"role": "system", "content": system}] if system else []

    async def say(self, words: str) -> None:
        """Ask one thing and print the answer as it comes."""
        if not _is_text(words):
            raise CliError("the message is not text in this terminal's encoding", code=USAGE)
        asked = [*self._said, {"role": "user", "content": words}]
        answer = []
        stream = stream_chat(
            self._gateway_url,
            self._model,
            asked,
            max_tokens=self._max_tokens,
            api_key=self._api_key,
        )
        async for piece in stream:
            answer.append(piece)
            print(piece, end="", flush=True)
        print()
        self._said = [*asked, {"role": "assistant", "content": "".join(answer)}]

    def talk(self) -> None:
        """Ask what the user types until the end of input; an error ends one answer, not all.

        Of a pipe, which nobody looks at, it ends all. Not a coroutine: what waits for the keyboard
        inside an event loop can't be interrupted.
        """
        prompt = f"{self._model}> " if sys.stdin.isatty() else ""
        while True:
            try:
                words = input(prompt).strip()
            except (EOFError, KeyboardInterrupt):
                return
            if words == _END:
                return
            if not words:
                continue
            try:
                asyncio.run(self.say(words))
            except CliError as error:
                if not prompt:
                    raise
                print(f"error: {error}", file=sys.stderr)


def _is_text(words: str) -> bool:
    """Tell whether all of it was understood: what could not be is a half of a pair of two."""
    return not any("\ud800" <= sign <= "\udfff" for sign in words)

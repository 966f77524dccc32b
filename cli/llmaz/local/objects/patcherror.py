"""A patch that cannot be applied."""

from typing import Literal


class PatchError(ValueError):
    """Why a patch is refused, in the server's words.

    `code` is the HTTP status: 400 for a patch that can't be read, 422 for one which does not fit
    the object, 413 for one with too many operations.
    """

    def __init__(self, message: str, code: Literal[400, 413, 422] = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code: Literal[400, 413, 422] = code


# What a Status says of a JSON patch that does not fit, whatever the operation was.
REJECTED = "the server rejected our request due to an error in our request"

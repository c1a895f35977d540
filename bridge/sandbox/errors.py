"""The one exception that becomes an error answer."""


class ApiError(Exception):
    """A refusal: `status` is the HTTP code, `message` what the error envelope says."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str) -> ApiError:
    return ApiError(400, message)


def not_found(what: str) -> ApiError:
    """A resource that is not there; an unknown path is answered elsewhere with its own exact text."""
    return ApiError(404, f"{what} not found")

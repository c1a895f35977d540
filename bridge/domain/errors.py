"""Errors, grouped by what the worker does next. Adapters translate foreign exceptions into these, and nothing else."""


class BridgeError(Exception):
    """Something went wrong at a neighbour or in the configuration.

    `code` is a stable, bounded word for metrics, states and dead letters; the message is for people and never holds
    message text, a token or a secret (I10).
    """

    def __init__(self, message: str, *, code: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class Retry(BridgeError):
    """It may work the next time: hold the position, back off, fetch again."""


class Throttled(Retry):
    """The platform asked for fewer requests. `retry_after_s` is its own wish where it gave one."""


class Blocked(BridgeError):
    """Somebody must change something outside (a topic, a right, a token); asked again slowly, heals by itself."""


class Refused(Blocked):
    """A neighbour understood what was asked and will not do it: the request itself would have to change."""


class StopTrigger(BridgeError):
    """Going on would do harm: the trigger stops loudly until an operator resumes it (I8)."""


class Fatal(BridgeError):
    """The process cannot go on: bad configuration, or a neighbour that breaks a promised guarantee."""

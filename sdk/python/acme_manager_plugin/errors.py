"""Why a call failed."""

from enum import Enum

U32_MAX = 2**32 - 1


class ErrorKind(Enum):
    """The class of a failure. The host decides by it whether to try again and whom to blame: choose the narrowest."""

    CONFIG = "config"
    """The environment is incomplete or contradictory. Not retried."""
    UNAUTHORIZED = "unauthorized"
    """The credentials were refused. Not retried."""
    ZONE_NOT_FOUND = "zone-not-found"
    """The account has no zone that holds the name. Not retried."""
    RATE_LIMITED = "rate-limited"
    """The vendor asked to slow down. Retried."""
    CONFLICT = "conflict"
    """Another change is under way. Retried."""
    UNAVAILABLE = "unavailable"
    """The vendor did not answer, or failed itself. Retried."""
    REJECTED = "rejected"
    """The vendor understood the request and said no. Not retried."""
    OTHER = "other"
    """None of the above. Not retried."""

    @classmethod
    def of_status(cls, status: int) -> "ErrorKind":
        """The kind that fits an HTTP status."""
        match status:
            case 401 | 403:
                return cls.UNAUTHORIZED
            case 409 | 412:
                return cls.CONFLICT
            case 429:
                return cls.RATE_LIMITED
            case 408:
                return cls.UNAVAILABLE
        if 500 <= status <= 599:
            return cls.UNAVAILABLE
        return cls.REJECTED if 400 <= status <= 499 else cls.OTHER


class PluginError(Exception):
    """A failed call: a kind, and a sentence for the operator that says what was tried and what came back.

    The host replaces the values of secret environment keys in the sentence, but nothing that was derived from them.
    """

    def __init__(self, kind: ErrorKind, message: str, retry_after: int | None = None) -> None:
        """`retry_after` is in seconds, where the vendor named a time; the host caps it at one hour."""
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = None if retry_after is None else min(max(retry_after, 0), U32_MAX)

    @classmethod
    def zone_not_found(cls, name: str) -> "PluginError":
        """The account has no zone that holds `name`."""
        return cls(ErrorKind.ZONE_NOT_FOUND, f"the account has no zone that holds {name}")

"""HTTP to the vendor's API.

The host sends a request only to hosts that the operator granted, follows no redirects, and checks certificates itself.
Requests end with the call's own deadline at the latest.
"""

import base64
import json as json_text
import re
from collections.abc import Callable, Container, Mapping
from itertools import accumulate
from typing import Any, TypedDict, TypeVar, Unpack, overload
from urllib.parse import quote, urlencode, urlsplit

from . import _host
from ._message import Incoming, Outgoing
from .errors import ErrorKind, PluginError
from .shape import Mismatch, read

__all__ = ["ANY_STATUS", "Client", "Options", "Outgoing", "Response", "basic", "bearer", "segment"]

T = TypeVar("T")

ANY_STATUS = range(100, 600)
"""For `accept`: no status is an error."""

_DEFAULT_HEADERS = {"accept": "application/json", "user-agent": "acme-manager-plugin-python/0.1.0"}

_DEFAULT_MAX_BODY = 4 * 1024 * 1024
"""A page of a hundred DNS records takes less than 100 KiB."""

_NESTING = dict(zip(b"[{]}", (1, 1, -1, -1), strict=True))
_NEITHER_BRACKETS_NOR_QUOTES = bytes(set(range(256)) - set(b'[{]}"'))

_MAX_DEPTH = 128
"""How deeply JSON may be nested. CPython's parser would use up the stack of a component some way above it."""

_EXCERPT = 500
"""How much of a body an error repeats, in characters."""


def bearer(token: str) -> str:
    """A value for `auth`. RFC 6750 §2.1"""
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """A value for `auth`. RFC 7617 §2"""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def segment(text: str) -> str:
    """A text as one segment of a path: all but the unreserved characters are percent-encoded (RFC 3986 §2.3)."""
    return quote(text, safe="")


class Options(TypedDict, total=False):
    """What a request has beside its method and path. At most one of `json`, `form` and `body`."""

    query: Mapping[str, str | int]
    """Encoded here."""
    headers: Mapping[str, str]
    json: Any
    form: Mapping[str, str | int]
    body: bytes
    accept: Container[int]
    """Statuses that are no errors, beside 2xx: `(404,)` where something is removed, or `ANY_STATUS`."""


class Client:
    """One API: a base URL and what every request carries."""

    def __init__(
        self,
        base_url: str,
        *,
        auth: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_body: int = _DEFAULT_MAX_BODY,
        sign: Callable[[Outgoing], None] | None = None,
    ) -> None:
        """An API below `base_url`, for example `https://api.example.com/v1`; an error of kind `config` where it is no
        base URL. `auth` is the header `Authorization`. `sign` sees every request when it is finished otherwise, and
        adds a signature to its headers or URL. At most `max_body` bytes are read of an answer."""
        self._base = _base(base_url)
        self._headers = _DEFAULT_HEADERS | _lower(headers)
        if auth is not None:
            self._headers["authorization"] = auth
        self._max_body = max_body
        self._sign = sign

    def get(self, path: str, **options: Unpack[Options]) -> "Response":
        """A GET request; see `request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[Options]) -> "Response":
        """A POST request; see `request`."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[Options]) -> "Response":
        """A PUT request; see `request`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[Options]) -> "Response":
        """A PATCH request; see `request`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[Options]) -> "Response":
        """A DELETE request; see `request`."""
        return self.request("DELETE", path, **options)

    def request(self, method: str, path: str, **options: Unpack[Options]) -> "Response":
        """Sends a request and returns the answer if its status is 2xx or one to `accept`. Parts of the path that come
        from elsewhere go through `segment`.

        Raises `PluginError`: for other statuses of the fitting kind, with `Retry-After` and the start of the body; of
        kind `unavailable` for a broken connection; of kind `config` for a host that the operator did not grant.
        """
        response = _send(self._finish(method, path, options))
        if response.is_success or response.status in options.get("accept", ()):
            return response
        raise response.error()

    def _finish(self, method: str, path: str, options: Options) -> Outgoing:
        url = f"{self._base}/{path.lstrip('/')}" if path else self._base
        if query := options.get("query"):
            url += "?" + urlencode(query, quote_via=quote, safe="")
        if not _is_visible_ascii(url):
            raise PluginError(ErrorKind.OTHER, f"the path {path!r} must be percent-encoded")
        content_type, body = _body(options)
        headers = content_type | self._headers | _lower(options.get("headers"))
        if body or method in ("POST", "PUT", "PATCH"):
            headers["content-length"] = str(len(body))
        outgoing = Outgoing(method, url, headers, body, self._max_body)
        if self._sign is not None:
            self._sign(outgoing)
        return outgoing


class Response:
    """An answer that was read to its end."""

    def __init__(self, what: str, incoming: Incoming) -> None:
        self._what = what
        self._headers = incoming.headers
        self.status = incoming.status
        """The status."""
        self.body = incoming.body
        """The body."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status <= 299

    @property
    def text(self) -> str:
        """The body as text; broken UTF-8 becomes U+FFFD."""
        return self.body.decode(errors="replace")

    @property
    def retry_after(self) -> int | None:
        """The delay that `Retry-After` asks for, in seconds (RFC 9110 §10.2.3). The form with a date is not read: the
        host backs off by itself."""
        value = (self.header("retry-after") or "").strip()
        return int(value) if re.fullmatch("[0-9]{1,9}", value) else None

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        return next((value for present, value in self._headers if present == name.lower()), None)

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, shape: type[T]) -> T: ...
    def json(self, shape: Any = Any) -> Any:
        """The body read as JSON, and as the type if there is one (`shape.read`). An error of kind `unavailable` when
        it is something else: as a rule that is the error page of a proxy."""
        try:
            if _depth(self.body) > _MAX_DEPTH:
                raise self._unexpected("it is nested too deeply")
            return read(shape, json_text.loads(self.body.decode().removeprefix("\ufeff")))
        except Mismatch as mismatch:
            raise self._unexpected(str(mismatch)) from None
        except ValueError:
            raise self._unexpected("it is no JSON") from None

    def error(self, detail: str | None = None, kind: ErrorKind | None = None) -> PluginError:
        """The answer as an error: with the start of its body or, better, what the vendor's own error format says; of
        the kind that fits the status or, where the vendor's own code says more, another."""
        detail = _excerpt(self.body) if detail is None else detail
        message = f"{self._what} answered {self.status}" + (f": {detail}" if detail else "")
        return PluginError(kind or ErrorKind.of_status(self.status), message, self.retry_after)

    def _unexpected(self, why: str) -> PluginError:
        message = f"{self._what} answered {self.status} with something unexpected: {why}"
        return PluginError(ErrorKind.UNAVAILABLE, message)


def _body(options: Options) -> tuple[dict[str, str], bytes]:
    if "json" in options:
        return {"content-type": "application/json"}, json_text.dumps(options["json"]).encode()
    if "form" in options:
        form = urlencode(options["form"], quote_via=quote, safe="")
        return {"content-type": "application/x-www-form-urlencoded"}, form.encode()
    return {}, options.get("body", b"")


def _send(outgoing: Outgoing) -> Response:
    for name, value in outgoing.headers.items():
        # A line break at the end of a pasted token is the common cause; the value itself may be a secret.
        if not re.fullmatch(r"[\t\x20-\x7e]*", value):
            raise PluginError(ErrorKind.CONFIG, f"the header {name} would hold control characters")
    url = urlsplit(outgoing.url)
    # Without the query: some vendors want their secrets there.
    what = f"{outgoing.method} {url.netloc}{url.path}"
    try:
        return Response(what, _host.current.exchange(outgoing))
    except PluginError as error:
        raise PluginError(error.kind, f"{what}: {error.message}", error.retry_after) from None


def _base(url: str) -> str:
    def invalid(why: str) -> PluginError:
        return PluginError(ErrorKind.CONFIG, f"the API address is not a base URL: {why}")

    if not _is_visible_ascii(url.strip()):
        raise invalid("it is not plain ASCII")
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise invalid("its host is malformed") from None
    if parts.scheme not in ("https", "http"):
        raise invalid("it must start with https:// or http://")
    if "?" in url or "#" in url:
        raise invalid("it must have no query and no fragment")
    if not parts.netloc or "@" in parts.netloc or "\\" in parts.netloc:
        raise invalid("the host is missing, or there are credentials before it")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _depth(body: bytes) -> int:
    # By whole-text operations: a loop over characters would cost more than reading the JSON.
    without_escapes = re.sub(rb"\\.", b"", body, flags=re.DOTALL)
    marks = without_escapes.translate(None, _NEITHER_BRACKETS_NOR_QUOTES).replace(b'""', b"")
    brackets = re.sub(rb'"[^"]*"?', b"", marks)
    return max(accumulate(map(_NESTING.__getitem__, brackets)), default=0)


def _is_visible_ascii(text: str) -> bool:
    return re.fullmatch(r"[\x21-\x7e]*", text) is not None


def _excerpt(body: bytes) -> str:
    # A character has at most four bytes, so nothing beyond this can be shown.
    text = body[: _EXCERPT * 4].decode(errors="replace").strip()[:_EXCERPT]
    return "".join(character if character.isprintable() else " " for character in text)

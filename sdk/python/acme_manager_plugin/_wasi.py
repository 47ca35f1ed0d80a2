"""The host of a component: `wasi:http` 0.2 and the contract's own interface, by the bindings of componentize-py.

WASI wants children dropped before their parents (a stream before its body), so everything that is taken out of
something else is held by a `with`. What is given away, as a request is to the handler, must not be closed again.
"""

import os
from contextlib import ExitStack
from typing import NoReturn
from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports import host, monotonic_clock, outgoing_handler, poll, streams
from wit_world.imports import wasi_http_types as wasi

from ._message import Incoming, Outgoing
from .errors import ErrorKind, PluginError

_CONNECT_TIMEOUT = 10.0
"""No name resolution and handshake of a healthy API takes longer; seconds."""

_MARGIN = 0.25
"""Kept back from the call's time, so that an error of ours still reaches the host; seconds."""

_WRITE_CHUNK = 4096
"""The most that one blocking write may take (`wasi:io`, `blocking-write-and-flush`)."""

_READ_CHUNK = 64 * 1024

_METHODS: dict[str, wasi.Method] = {
    "GET": wasi.Method_Get(),
    "HEAD": wasi.Method_Head(),
    "POST": wasi.Method_Post(),
    "PUT": wasi.Method_Put(),
    "DELETE": wasi.Method_Delete(),
    "OPTIONS": wasi.Method_Options(),
    "PATCH": wasi.Method_Patch(),
}


class Component:
    """See `_host.Host`."""

    def variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def log(self, level: str, message: str) -> None:
        host.log(host.Level[level.upper()], utf8(message))

    def remaining(self) -> float:
        return host.remaining() / 1000

    def sleep(self, seconds: float) -> None:
        with monotonic_clock.subscribe_duration(_nanoseconds(seconds)) as pause:
            pause.block()

    def exchange(self, request: Outgoing) -> Incoming:
        with ExitStack() as held:
            future = held.enter_context(_start(request))
            response = held.enter_context(_wait(future))
            with response.headers() as fields:
                headers = [(name.lower(), value.decode(errors="replace")) for name, value in fields.entries()]
            return Incoming(response.status(), headers, _read(response, request.max_body))


def utf8(text: str) -> str:
    """Text as the component model wants it. JSON can name halves of surrogate pairs, which are none."""
    return text.encode(errors="replace").decode()


def _start(outgoing: Outgoing) -> wasi.FutureIncomingResponse:
    url = urlsplit(outgoing.url)
    try:
        fields = wasi.Fields.from_list([(name, value.encode()) for name, value in outgoing.headers.items()])
        request = wasi.OutgoingRequest(fields)
        request.set_method(_METHODS.get(outgoing.method) or wasi.Method_Other(outgoing.method))
        request.set_scheme(wasi.Scheme_Https() if url.scheme == "https" else wasi.Scheme_Http())
        request.set_authority(url.netloc)
        request.set_path_with_query((url.path or "/") + (f"?{url.query}" if url.query else ""))
        body = request.body()
    except Err:
        raise PluginError(ErrorKind.OTHER, "the host does not take the method, the address or a header") from None
    try:
        future = outgoing_handler.handle(request, _options())
        _write(body, outgoing.body)
        return future
    except Err as error:
        _fail(error.value)


def _options() -> wasi.RequestOptions:
    left = _time_left()
    options = wasi.RequestOptions()
    options.set_connect_timeout(_nanoseconds(min(left, _CONNECT_TIMEOUT)))
    options.set_first_byte_timeout(_nanoseconds(left))
    options.set_between_bytes_timeout(_nanoseconds(left))
    return options


def _write(body: wasi.OutgoingBody, content: bytes) -> None:
    if content:
        with body.write() as stream:
            for start in range(0, len(content), _WRITE_CHUNK):
                try:
                    stream.blocking_write_and_flush(content[start : start + _WRITE_CHUNK])
                except Err:
                    # The peer may answer before it read everything; the answer or its failure says more.
                    return
    wasi.OutgoingBody.finish(body, None)


def _wait(future: wasi.FutureIncomingResponse) -> wasi.IncomingResponse:
    with future.subscribe() as answer, monotonic_clock.subscribe_duration(_nanoseconds(_time_left())) as deadline:
        while True:
            match future.get():
                case None if deadline.ready():
                    raise PluginError(ErrorKind.UNAVAILABLE, "no answer within the time of this call")
                case None:
                    poll.poll([answer, deadline])
                case Err():
                    raise PluginError(ErrorKind.OTHER, "the answer was taken twice")
                case taken if isinstance(taken.value, Err):
                    _fail(taken.value.value)
                case taken:
                    return taken.value.value


def _read(response: wasi.IncomingResponse, limit: int) -> bytes:
    content = bytearray()
    with ExitStack() as held:
        body = held.enter_context(response.consume())
        stream = held.enter_context(body.stream())
        ready = held.enter_context(stream.subscribe())
        deadline = held.enter_context(monotonic_clock.subscribe_duration(_nanoseconds(_time_left())))
        while len(content) <= limit:
            try:
                chunk = stream.read(_READ_CHUNK)
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return bytes(content)
                message = "the connection broke before the answer's end"
                raise PluginError(ErrorKind.UNAVAILABLE, message) from None
            content += chunk
            if not chunk:
                if deadline.ready():
                    raise PluginError(ErrorKind.UNAVAILABLE, "the answer did not end within the time of this call")
                poll.poll([ready, deadline])
    raise PluginError(ErrorKind.OTHER, f"the answer is larger than {limit} bytes")


def _time_left() -> float:
    return max(0.0, host.remaining() / 1000 - _MARGIN)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


_FAILURES: dict[type, tuple[ErrorKind, str]] = {
    wasi.ErrorCode_HttpRequestDenied: (
        ErrorKind.CONFIG,
        "the host does not let this plugin talk to that server: grant it with allowed_hosts",
    ),
    wasi.ErrorCode_DestinationIpProhibited: (
        ErrorKind.CONFIG,
        "the server has an address that this plugin may not use: grant it with allowed_cidrs",
    ),
    wasi.ErrorCode_ConfigurationError: (
        ErrorKind.CONFIG,
        "the host's HTTP configuration does not allow this request",
    ),
    wasi.ErrorCode_DnsTimeout: (ErrorKind.UNAVAILABLE, "the server's name does not resolve"),
    wasi.ErrorCode_DnsError: (ErrorKind.UNAVAILABLE, "the server's name does not resolve"),
    wasi.ErrorCode_DestinationNotFound: (ErrorKind.UNAVAILABLE, "the server's name does not resolve"),
    wasi.ErrorCode_DestinationUnavailable: (ErrorKind.UNAVAILABLE, "the server cannot be reached"),
    wasi.ErrorCode_DestinationIpUnroutable: (ErrorKind.UNAVAILABLE, "the server cannot be reached"),
    wasi.ErrorCode_ConnectionRefused: (ErrorKind.UNAVAILABLE, "the server refused the connection"),
    wasi.ErrorCode_ConnectionTerminated: (ErrorKind.UNAVAILABLE, "the server closed the connection"),
    wasi.ErrorCode_HttpResponseIncomplete: (ErrorKind.UNAVAILABLE, "the server closed the connection"),
    wasi.ErrorCode_ConnectionTimeout: (ErrorKind.UNAVAILABLE, "the server did not answer in time"),
    wasi.ErrorCode_ConnectionReadTimeout: (ErrorKind.UNAVAILABLE, "the server did not answer in time"),
    wasi.ErrorCode_ConnectionWriteTimeout: (ErrorKind.UNAVAILABLE, "the server did not answer in time"),
    wasi.ErrorCode_HttpResponseTimeout: (ErrorKind.UNAVAILABLE, "the server did not answer in time"),
    wasi.ErrorCode_TlsCertificateError: (ErrorKind.UNAVAILABLE, "the server's certificate is not trusted"),
    wasi.ErrorCode_TlsProtocolError: (ErrorKind.UNAVAILABLE, "no TLS connection to the server"),
    wasi.ErrorCode_TlsAlertReceived: (ErrorKind.UNAVAILABLE, "no TLS connection to the server"),
    wasi.ErrorCode_ConnectionLimitReached: (
        ErrorKind.UNAVAILABLE,
        "too many requests of this plugin are under way",
    ),
    wasi.ErrorCode_HttpProtocolError: (ErrorKind.UNAVAILABLE, "the server does not speak HTTP as it should"),
    wasi.ErrorCode_HttpResponseBodySize: (ErrorKind.OTHER, "the answer is larger than the host allows"),
    wasi.ErrorCode_HttpResponseHeaderSectionSize: (ErrorKind.OTHER, "the answer is larger than the host allows"),
}


def _fail(code: wasi.ErrorCode) -> NoReturn:
    if isinstance(code, wasi.ErrorCode_InternalError):
        detail = f": {code.value}" if code.value else ""
        raise PluginError(ErrorKind.UNAVAILABLE, f"the request failed{detail}")
    raise PluginError(*_FAILURES.get(type(code), (ErrorKind.OTHER, "the host could not carry out the request")))

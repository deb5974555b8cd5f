"""HTTP towards other systems: to allowed addresses, within bounds of time and size.

Built on httpcore, not on httpx, whose log has the whole URL of each request, with the keys in it.
An answer is read to its end before anything is made of it, so that one which is cut in the middle
gives no records; of large ones the bytes lie in a temporary file.
"""

import email.utils
import math
import ssl
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import BinaryIO, Protocol, cast
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import httpcore

from gis.connectors.connector import Surroundings
from gis.connectors.redaction import Redactor
from gis.egress import CheckedNetwork
from gis.errors import (
    BadFile,
    BadInput,
    NotDelivered,
    SourceRefused,
    SourceUnavailable,
    Undeliverable,
)

_MOST_REDIRECTS = 5
_IN_MEMORY = 4 * 2**20  # bytes of an answer; more lie in a temporary file
_INFLATED = 2**20  # bytes that are inflated at a time
_CONNECT_S = 10.0  # until the next address of the host is tried
_LONGEST_ERROR = 16 * 2**10
_LONGEST_WAIT_S = 86_400.0  # that a source may ask for
_TRANSIENT = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A request; its URL, headers and body may hold secrets."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"SourceRequest({self.method})"


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """A whole answer; names of its headers are in lower case, `file` stands at its beginning."""

    status: int
    headers: Mapping[str, str]
    file: BinaryIO
    size: int

    def content(self) -> bytes:
        self.file.seek(0)
        return self.file.read()

    def head(self, size: int = 2_048) -> bytes:
        """Its first bytes."""
        self.file.seek(0)
        head = self.file.read(size)
        self.file.seek(0)
        return head


class Authorization(Protocol):
    """A login that gives the value of the header `Authorization`."""

    def header(self, client: "HttpClient") -> str: ...

    def renew(self) -> bool:
        """Forget what was refused; False where another attempt would send the same."""
        ...


class HttpClient:
    """A client for one source. Its credentials go to the host of `home` alone."""

    def __init__(
        self,
        surroundings: Surroundings,
        home: str,
        redactor: Redactor,
        login: Authorization | None = None,
    ) -> None:
        self.redactor = redactor
        self._home = urlsplit(home)
        self._surroundings = surroundings
        self._login = login
        self._clock = _Stopwatch(surroundings.longest_s)
        self._pools: dict[str, httpcore.ConnectionPool] = {}  # by scheme

    def close(self) -> None:
        while self._pools:
            self._pools.popitem()[1].close()

    @contextmanager
    def sibling(self, home: str) -> Iterator["HttpClient"]:
        """A client of the same bounds for another host, such as the one that issues tokens."""
        client = HttpClient(self._surroundings, home, self.redactor)
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def answer(
        self, request: SourceRequest, also: frozenset[int] = frozenset()
    ) -> Iterator[SourceAnswer]:
        """The answer to a request, of status 200 or one of `also`; redirects are followed.

        Raises SourceUnavailable, SourceRefused, and BadFile for content that is too large or
        cannot be unpacked.
        """
        response = self._followed(request)
        with response.file:
            if response.status != 200 and response.status not in also:
                raise self.failure(response)
            yield response

    def next_url(self, url: str, link: str) -> str:
        """The address of a further page. Raises SourceRefused for one at another host.

        A server behind a proxy often names its pages by `http:` or by the port within; they are
        asked for where the first page was.
        """
        try:
            target = urlsplit(urljoin(url, link))
        except ValueError:
            raise SourceRefused(f"{self._home.hostname} names a page that is no URL") from None
        if target.hostname != self._home.hostname:
            raise SourceRefused(
                f"{self._home.hostname} names a further page at another host, {target.hostname}: "
                "its credentials do not go there; let the server name its own address"
            )
        return urlunsplit(target._replace(scheme=self._home.scheme, netloc=self._home.netloc))

    def _followed(self, request: SourceRequest) -> SourceAnswer:
        renewed = False
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._exchange(request)
            location = response.headers.get("location")
            if response.status == 401 and not renewed and self._login and self._login.renew():
                renewed = True
            elif response.status in (301, 302, 303, 307, 308) and location:
                request = self._redirected(request, response.status, location)
            else:
                return response
            response.file.close()
        raise SourceRefused(f"{self._home.hostname} redirects without end: correct its address")

    def _redirected(self, request: SourceRequest, status: int, location: str) -> SourceRequest:
        target = urljoin(request.url, location)
        before, after = urlsplit(request.url), urlsplit(target)
        if before.scheme == "https" and after.scheme != "https":
            raise SourceRefused(
                f"{before.hostname} redirects to an address that is not encrypted: "
                "give its https address"
            )
        if status in (307, 308):
            if request.body and after.hostname != before.hostname:
                raise SourceRefused(
                    f"{before.hostname} redirects a form to {after.hostname}: give that address"
                )
            return replace(request, url=target)
        headers = {k: v for k, v in request.headers.items() if k.lower() != "content-type"}
        return SourceRequest(target, "GET", headers)

    def _exchange(self, request: SourceRequest) -> SourceAnswer:
        url = check_source_url(request.url)
        self._clock.start()
        headers = self._headers(request, cast(str, url.hostname))
        if url.scheme not in self._pools:
            self._pools[url.scheme] = httpcore.ConnectionPool(
                # By the certificates of the machine, to which a province may add its own.
                ssl_context=ssl.create_default_context() if url.scheme == "https" else None,
                network_backend=_TimedNetwork(self._surroundings, self._clock),
            )
        idle_s = self._surroundings.timeout_s
        limits = {"connect": min(_CONNECT_S, idle_s), "read": idle_s, "write": idle_s}
        try:
            with self._pools[url.scheme].stream(
                request.method,
                request.url,
                headers=headers,
                content=request.body or None,
                extensions={"timeout": limits | {"pool": idle_s}},
            ) as response:
                return self._read(response)
        except (NotDelivered, httpcore.LocalProtocolError) as error:
            if isinstance(error, NotDelivered) and not isinstance(error, Undeliverable):
                raise SourceUnavailable(str(error)) from None
            if isinstance(error, Undeliverable):
                raise SourceRefused(str(error)) from None
            # The library's message holds the header, so a secret perhaps.
            raise SourceRefused("a header cannot be sent: it has a letter that none has") from None
        except (httpcore.TimeoutException, TimeoutError):
            raise SourceUnavailable(f"{url.hostname} is too slow: {self._clock.fault()}") from None
        except httpcore.ConnectError as error:
            if "CERTIFICATE" in str(error).upper():
                raise SourceRefused(
                    f"the certificate of {url.hostname} is not one that this machine trusts: "
                    "add its authority to the certificates of the machine"
                ) from None
            raise SourceUnavailable(f"{url.hostname} cannot be reached") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise SourceUnavailable(
                f"the answer of {url.hostname} was cut in the middle ({type(error).__name__})"
            ) from None

    def _headers(self, request: SourceRequest, host: str) -> list[tuple[str, str]]:
        url = httpcore.URL(request.url)
        name = f"[{host}]" if ":" in host else url.host.decode()
        headers = {
            "Host": name if url.port is None else f"{name}:{url.port}",
            "User-Agent": "gis-ioc",
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
        }
        if request.body or request.method == "POST":
            headers["Content-Length"] = str(len(request.body))
        if host == self._home.hostname:
            headers |= request.headers
            if self._login is not None:
                headers["Authorization"] = self._login.header(self)
                self._clock.start()
        return list(headers.items())

    def _read(self, response: httpcore.Response) -> SourceAnswer:
        headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        most = self._surroundings.most_bytes
        if int(headers.get("content-length", "0") or 0) > most:
            raise _too_large(most)
        file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (it outlives this)
        size = 0
        try:
            chunks = response.iter_stream()
            for chunk in _decoded(chunks, headers.get("content-encoding", "")):
                size += len(chunk)
                if size > most:
                    raise _too_large(most)
                file.write(chunk)
                self._clock.left_s()
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return SourceAnswer(response.status, headers, cast(BinaryIO, file), size)

    def failure(self, response: SourceAnswer) -> SourceUnavailable:
        """The error of a status; it says the beginning of what the server said."""
        status, host = response.status, self._home.hostname
        said = ""
        if "html" not in response.headers.get("content-type", ""):
            text = response.head(_LONGEST_ERROR).decode("utf-8", "replace")
            said = f": “{self.redactor.quote(text)}”" if text.strip() else ""
        if status >= 500 or status in _TRANSIENT:
            wait_s = retry_after_s(response.headers.get("retry-after"))
            return SourceUnavailable(f"{host} answered {status}{said}", wait_s)
        match status:
            case 401 | 403:
                act = "its login was refused: renew the secret, or ask for the right to read"
            case 404 | 410:
                act = "nothing is there: correct the address"
            case 304:
                act = "though nothing had been read before: ask those who run it"
            case _:
                act = "it does not take the request: correct what is asked for"
        return SourceRefused(f"{host} answered {status}, {act}{said}")


def check_source_url(url: str) -> SplitResult:
    """The parts of a URL that can be read. Raises BadInput, without its query, for another."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadInput("the address of the source is no URL") from None
    shown = f"{parts.scheme}://{host}{parts.path}"
    if parts.scheme not in ("http", "https") or not host:
        raise BadInput(f"a source is read at an http or https URL, not at {shown}")
    if parts.username is not None:
        raise BadInput(f"{shown}: a user and a password stand in `login`, not in the URL")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadInput(f"{shown}: a URL is of printable ASCII letters without blanks")
    return parts


def retry_after_s(text: str | None) -> float | None:
    """Seconds of the header Retry-After, which is a number or a date; None for anything else."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)


class _Stopwatch:
    """The time that one answer may take in all."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._end = math.inf

    def start(self) -> None:
        self._end = time.monotonic() + self._longest_s

    def left_s(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def fault(self) -> str:
        if time.monotonic() >= self._end:
            return f"its answer took longer than {self._longest_s:g} s"
        return "it sent nothing for too long"


class _TimedNetwork(CheckedNetwork):
    """A network whose reads and writes also end when the time of the answer does."""

    def __init__(self, surroundings: Surroundings, clock: _Stopwatch) -> None:
        super().__init__(surroundings.policy)
        self._clock = clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        timeout = min(timeout or math.inf, self._clock.left_s())
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _TimedStream(stream, self._clock)


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, clock: _Stopwatch) -> None:
        self._stream = stream
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._bounded(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._bounded(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._bounded(timeout))
        return _TimedStream(inner, self._clock)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    def _bounded(self, timeout: float | None) -> float:
        return min(timeout or math.inf, self._clock.left_s())


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The content of an answer, inflated in small parts: few bytes may stand for many.

    Raises BadFile for another encoding than gzip and deflate or for bytes that are neither, and
    SourceUnavailable where the end is missing.
    """
    if encoding.strip().lower() in ("", "identity"):
        yield from chunks
        return
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise BadFile(f"the answer is packed as {encoding[:40]!r}, which was not asked for")
    either = 32 + zlib.MAX_WBITS  # gzip or zlib, as its first bytes say
    inflater = zlib.decompressobj(either)
    try:
        for chunk in chunks:
            while chunk:
                if inflater.eof:  # gzip may be in several members
                    inflater = zlib.decompressobj(either)
                yield inflater.decompress(chunk, _INFLATED)
                chunk = inflater.unconsumed_tail or inflater.unused_data
    except zlib.error:
        raise BadFile("the answer says that it is packed as gzip, and is not") from None
    yield inflater.flush(_INFLATED)
    if not inflater.eof:
        raise SourceUnavailable("the answer was cut in the middle: its gzip has no end")


def _too_large(most: int) -> BadFile:
    return BadFile(
        f"the answer has more than {most // 2**20} MiB: ask for less at a time, by pages or a "
        "condition"
    )

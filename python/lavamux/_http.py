"""One HTTP request to a daemon: JSON in, JSON out."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import ssl
from typing import Any, Callable, Generator, Iterator, Optional, Tuple, Union
from urllib.parse import urlsplit

TIMEOUT = 30.0
# Long answers are read by so many bytes.
PIECE = 256 * 1024


class LabError(Exception):
    """Something could not be done; the text says what, and what to do."""

    status: Optional[int] = None
    """What a daemon has answered, if one has."""
    kind: Optional[str] = None
    """Whose fault that daemon says it is: ``user``, ``config``, ``refused``, ``lab`` or ``infra``."""

    @property
    def may_pass(self) -> bool:
        """Whether the same may work a while later: nobody has refused it."""
        return self.status is not None and (self.status >= 500 or self.status == 429)


class Unreachable(LabError):
    """A daemon does not answer."""

    @property
    def may_pass(self) -> bool:
        return True


class Refused(LabError):
    """Somebody else has it, or one may not."""


class WrongUse(LabError):
    """What was asked for is not understood, or not there."""


class Lost(LabError):
    """The boards are not one's own any more."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Way:
    """Where something of a board's is: at its daemon, and at the server for who is not let in there."""

    def __init__(self, endpoint: "Endpoint", path: str, server: "Optional[Endpoint]", there: str) -> None:
        self._server, self._there = server, there
        if server is not None and endpoint.url in server.closed:
            endpoint, path = server, there
        self.endpoint, self.path = endpoint, path

    def leads(self, error: LabError) -> bool:
        """Whether there is another way after this failure; it is taken from now on."""
        if error.status not in (401, 429) or self._server is None or self.endpoint is self._server:
            return False
        self._server.closed.add(self.endpoint.url)
        self.endpoint, self.path = self._server, self._there
        return True


class Endpoint:
    """Where a daemon is: ``http://HOST:PORT``, ``https://HOST:PORT`` or ``unix:PATH``."""

    def __init__(self, url: str, token: Optional[str] = None, ca: Optional[str] = None) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._ca = ca
        # Daemons that do not know the token, by their URLs.
        self.closed: "set[str]" = set()
        if not self.url.startswith(("http://", "https://", "unix:")):
            raise WrongUse(f"{url!r} is no daemon's address: write http://HOST:PORT or https://HOST:PORT")

    @classmethod
    def split(
        cls, url: str, token: Optional[str], ca: Optional[str]
    ) -> Tuple["Endpoint", str]:
        """A thing's URL as its daemon and the path there."""
        if url.startswith("unix:"):
            path, _, rest = url[len("unix:") :].partition(":/")
            return cls("unix:" + path, token, ca), "/" + rest
        parts = urlsplit(url)
        return cls(f"{parts.scheme}://{parts.netloc}", token, ca), parts.path

    @property
    def is_private(self) -> bool:
        """Whether nobody can read along on the way there."""
        host = urlsplit(self.url).hostname
        return not self.url.startswith("http://") or host in ("localhost", "127.0.0.1", "::1")

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        if self.url.startswith("unix:"):
            return _UnixConnection(self.url[len("unix:") :], timeout)
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        context = ssl.create_default_context(cafile=self._ca or os.environ.get("LAVA_CA"))
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)

    def headers(self) -> "dict[str, str]":
        # A token goes only where nobody reads along.
        if self.token and self.is_private:
            return {"Authorization": f"Bearer {self.token}"}
        return {}

    def failure(self, status: int, answer: bytes) -> LabError:
        """What a daemon's answer says of why it was not done."""
        failure = _told(self.url, status, answer)
        if status == 401 and self.token and not self.is_private:
            failure = Refused(f"{failure} [the token is not shown to http://, where others read along: write https://]")
        failure.status = status
        return failure

    def ask(
        self, method: str, path: str, body: Optional[Any] = None, timeout: float = TIMEOUT
    ) -> Any:
        """What the daemon answers."""
        data = None if body is None else json.dumps(body).encode()
        return self._json(self._answer(method, path, data, "application/json", timeout))

    def send(self, method: str, path: str, data: bytes, timeout: float) -> Any:
        """What the daemon answers to bytes. The time-out is that of each step: a slow line takes as long as it takes."""
        return self._json(self._answer(method, path, io.BytesIO(data), "application/octet-stream", timeout))

    def text(self, path: str, timeout: float = TIMEOUT) -> str:
        """What the daemon answers that is no JSON."""
        return self._answer("GET", path, None, "", timeout).decode("utf-8", "replace")

    def pieces(self, path: str, timeout: float = TIMEOUT) -> Iterator[bytes]:
        """What the daemon answers, as it comes; of one that breaks off the end is missing."""
        connection = self.connection(timeout)
        try:
            connection.request("GET", path, headers=self.headers())
            response = connection.getresponse()
            if response.status >= 400:
                raise self.failure(response.status, response.read())
            while True:
                piece = response.read(PIECE)
                if not piece:
                    return
                yield piece
        except http.client.IncompleteRead as error:
            yield error.partial
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url}: {error}") from error
        finally:
            connection.close()

    def _json(self, answer: bytes) -> Any:
        try:
            return json.loads(answer) if answer else None
        except ValueError as error:
            raise Unreachable(f"{self.url}: that is no answer of a daemon: {answer[:200]!r}") from error

    def _answer(
        self, method: str, path: str, data: "Union[None, bytes, io.BytesIO]", kind: str, timeout: float
    ) -> bytes:
        connection = self.connection(timeout)
        headers = self.headers()
        if data is not None:
            size = len(data) if isinstance(data, bytes) else data.getbuffer().nbytes
            headers.update({"Content-Type": kind, "Content-Length": str(size)})
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url}: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise self.failure(response.status, answer)
        return answer

    def events(self, path: str, silence: Callable[[], float]) -> "Generator[Any, None, None]":
        """The data of server-sent events, as they come; ``None`` once it is answered, and whenever only a sign of life
        comes."""
        connection = self.connection(silence())
        try:
            connection.request("GET", path, headers=self.headers())
            response = connection.getresponse()
            if response.status >= 400:
                raise self.failure(response.status, response.read())
            yield None
            while True:
                if connection.sock is not None:
                    connection.sock.settimeout(silence())
                line = response.readline()
                if not line:
                    return
                if line.startswith(b"data: "):
                    yield json.loads(line[len(b"data: ") :])
                elif line.startswith(b":"):
                    yield None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url}: {error}") from error
        finally:
            connection.close()


def _told(url: str, status: int, answer: bytes) -> LabError:
    try:
        error = json.loads(answer)["error"]
        text = error["message"]
        if error.get("hint"):
            text += f" ({error['hint']})"
        kind = error.get("kind")
    except (ValueError, KeyError, TypeError):
        return LabError(f"{url} answered {status}: {answer[:200]!r}")
    failure = LabError(text)
    if kind == "refused" or status in (401, 403):
        failure = Refused(text)
    elif kind in ("user", "config"):
        failure = WrongUse(text)
    failure.kind = kind
    return failure

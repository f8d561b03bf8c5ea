"""A WebSocket client (RFC 6455), as far as a console needs one."""

from __future__ import annotations

import base64
import hashlib
import os
import selectors
import socket
import ssl
import struct
import time
from typing import Optional, Tuple
from urllib.parse import urlsplit

from ._http import Endpoint, LabError, Unreachable

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
# The daemon says so much in one message at most.
MOST = 16 * 1024 * 1024
TIMEOUT = 10.0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    """A connection; messages are kinds (:data:`TEXT`, :data:`BINARY`) and bytes."""

    def __init__(self, endpoint: Endpoint, path: str) -> None:
        self._endpoint, self._url = endpoint, endpoint.url
        self._buffer = bytearray()
        self._parts: "list[bytes]" = []
        self._kind = TEXT
        connection = endpoint.connection(TIMEOUT)
        try:
            connection.connect()
            assert connection.sock is not None
            self._socket: socket.socket = connection.sock
            self._shake_hands(endpoint, path)
        except OSError as error:
            connection.close()
            raise Unreachable(f"{endpoint.url}: {error}") from error

    def send(self, kind: int, data: bytes) -> None:
        mask = os.urandom(4)
        if len(data) < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | len(data))
        elif len(data) < 65536:
            head = struct.pack("!BBH", 0x80 | kind, 0xFE, len(data))
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 0xFF, len(data))
        masked = _masked(mask, data)
        try:
            self._socket.settimeout(TIMEOUT)
            self._socket.sendall(head + mask + masked)
        except OSError as error:
            raise Unreachable(f"{self._url}: {error}") from error

    def receive(self, seconds: float) -> Optional[Tuple[int, bytes]]:
        """The next message; ``None`` when none has come in time."""
        end = time.monotonic() + seconds
        while True:
            message = self._message()
            if message is not None:
                return message
            left = end - time.monotonic()
            if not self._wait(max(0.0, left)):
                return None

    def close(self) -> None:
        try:
            self.send(CLOSE, struct.pack("!H", 1000))
        except Unreachable:
            pass
        self._socket.close()

    def _wait(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        try:
            while True:
                data = self._read_now()
                if data is not None:
                    break
                if not self._readable(end - time.monotonic()):
                    return False
        except OSError as error:
            raise Unreachable(f"{self._url}: {error}") from error
        if not data:
            raise Unreachable(f"{self._url}: the connection was closed")
        self._buffer += data
        return True

    def _read_now(self) -> Optional[bytes]:
        """What is there; ``None`` when nothing is. What TLS has to say of itself is nothing."""
        self._socket.settimeout(0)
        try:
            return self._socket.recv(65536)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return None

    def _readable(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(max(0.0, seconds))) if seconds > 0 else False

    def _message(self) -> Optional[Tuple[int, bytes]]:
        """A whole message that has come."""
        while True:
            frame = self._frame()
            if frame is None:
                return None
            final, kind, data = frame
            if kind == PING:
                self.send(PONG, data)
            elif kind == CLOSE:
                raise Unreachable(f"{self._url}: the console was closed: {data[2:].decode('utf-8', 'replace')}")
            elif kind in (0, TEXT, BINARY):
                if kind:
                    self._kind, self._parts = kind, []
                self._parts.append(data)
                if final:
                    return self._kind, b"".join(self._parts)

    def _frame(self) -> Optional[Tuple[bool, int, bytes]]:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, at = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return None
            length, at = struct.unpack_from("!H", buffer, 2)[0], 4
        elif length == 127:
            if len(buffer) < 10:
                return None
            length, at = struct.unpack_from("!Q", buffer, 2)[0], 10
        if length > MOST:
            raise Unreachable(f"{self._url}: a message of {length} bytes")
        if len(buffer) < at + length:
            return None
        first, data = buffer[0], bytes(buffer[at : at + length])
        del buffer[: at + length]
        return bool(first & 0x80), first & 0x0F, data

    def _shake_hands(self, endpoint: Endpoint, path: str) -> None:
        key = base64.b64encode(os.urandom(16))
        host = urlsplit(endpoint.url).netloc or "localhost"
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key.decode()}",
        ]
        lines += [f"{name}: {value}" for name, value in endpoint.headers().items()]
        self._socket.sendall("\r\n".join(lines + ["", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data or len(self._buffer) > 65536:
                raise Unreachable(f"{self._url}: no answer to the handshake")
            self._buffer += data
        answer, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        head = bytes(answer)
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            raise self._refused(status, head)
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        if accept not in head:
            raise Unreachable(f"{self._url}: that is no WebSocket")

    def _refused(self, status: int, head: bytes) -> LabError:
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = min(int(value), 65536)
        while len(self._buffer) < length:
            data = self._socket.recv(65536)
            if not data:
                break
            self._buffer += data
        self._socket.close()
        return self._endpoint.failure(status, bytes(self._buffer))


def _masked(mask: bytes, data: bytes) -> bytes:
    """RFC 6455, section 5.3."""
    repeated = (mask * (len(data) // 4 + 1))[: len(data)]
    masked = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
    return masked.to_bytes(len(data), "big")

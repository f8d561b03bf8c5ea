"""A console: typing, and waiting for what comes."""

from __future__ import annotations

import json
import re
import time
from types import TracebackType
from typing import Any, Dict, List, NamedTuple, Optional, Type, Union
from urllib.parse import urlencode

from ._http import Endpoint, LabError, Refused
from ._websocket import BINARY, TEXT, WebSocket

# So much of what has not been waited for is kept.
MOST = 16 * 1024 * 1024
# The daemon takes 8 KiB at a time: so many characters, whatever they are.
PIECE = 2048
# Each piece of the board's bytes comes behind its offset and its time.
HEADER = 16
_SAID = 400


class NotSeen(LabError):
    """What was waited for has not come in time; ``tail`` is what has come instead."""

    def __init__(self, pattern: str, timeout: float, tail: str) -> None:
        super().__init__(f"{pattern!r} has not come within {timeout:g} s; the last that came: {tail!r}")
        self.tail = tail


class Match(NamedTuple):
    """What :meth:`Console.expect` has found."""

    before: str
    """What came before it."""
    match: "re.Match[str]"
    which: int
    """Which of several patterns it is."""


class Console:
    """An attached console."""

    def __init__(self, endpoint: Endpoint, path: str, user: str, since: str, exclusive: bool) -> None:
        query = {"mode": "exclusive" if exclusive else "rw", "user": user, "from": since, "stay": "true"}
        self._socket = WebSocket(endpoint, f"{path}/attach?{urlencode(query)}")
        self._text = ""
        self._rest = b""
        self._next_id = 0
        self._answers: Dict[int, Dict[str, Any]] = {}
        self.mode = "spy"
        """``rw``, ``exclusive``, or ``spy`` when somebody else holds it."""
        self.head = 0
        """The offset of the next byte."""

    def expect(self, pattern: Union[str, List[str]], timeout: float = 30.0) -> Match:
        """Waits until a regular expression, or the first of several, matches what comes, and takes it.

        Raises :class:`NotSeen` when it has not come in time.
        """
        patterns = [pattern] if isinstance(pattern, str) else pattern
        compiled = [re.compile(one, re.MULTILINE) for one in patterns]
        end = time.monotonic() + timeout
        while True:
            found = self._search(compiled)
            if found is not None:
                return found
            if not self._receive(end - time.monotonic()):
                raise NotSeen(" or ".join(patterns), timeout, self._text[-_SAID:])

    def read(self, seconds: float) -> str:
        """What comes within so much time, and what has come and was not taken."""
        end = time.monotonic() + seconds
        while self._receive(end - time.monotonic()):
            pass
        text, self._text = self._text, ""
        return text

    def send(self, text: str, timeout: float = 30.0) -> None:
        """Types; comes back when the board's port has taken it."""
        for at in range(0, len(text), PIECE):
            self._ask({"request": "send", "text": text[at : at + PIECE]}, timeout)

    def sendline(self, text: str = "", timeout: float = 30.0) -> None:
        """Types, and Enter."""
        self.send(text + "\r", timeout)

    def run(self, command: str, prompt: str = r"[#$] ?$", timeout: float = 60.0) -> str:
        """Types a command at a shell, and gives what it has printed until the prompt is back."""
        self.sendline(command)
        printed = self.expect(prompt, timeout).before.replace("\r", "")
        first, _, rest = printed.partition("\n")
        # What was typed comes back first.
        body = rest if command.strip() in first else printed
        return body.rpartition("\n")[0] if "\n" in body else ""

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Console":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _search(self, compiled: "List[re.Pattern[str]]") -> Optional[Match]:
        matches = [(one.search(self._text), at) for at, one in enumerate(compiled)]
        first = min(
            ((match.start(), at, match) for match, at in matches if match is not None),
            key=lambda found: found[:2],
            default=None,
        )
        if first is None:
            return None
        start, at, match = first
        before, self._text = self._text[:start], self._text[match.end() :]
        return Match(before, match, at)

    def _ask(self, request: Dict[str, Any], timeout: float) -> Dict[str, Any]:
        self._next_id += 1
        number = self._next_id
        self._socket.send(TEXT, json.dumps({"id": number, **request}).encode())
        end = time.monotonic() + timeout
        while number not in self._answers:
            if not self._receive(end - time.monotonic()):
                raise LabError(f"the console has not answered within {timeout:g} s")
        answer = self._answers.pop(number)
        if answer.get("answer") == "refused":
            raise Refused(answer["reason"])
        if answer.get("missing"):
            raise LabError(f"{answer['missing']} bytes were not sent: {answer.get('reason')}")
        return answer

    def _receive(self, seconds: float) -> bool:
        """Takes one message, if one comes in time."""
        message = self._socket.receive(max(0.0, seconds))
        if message is None:
            return False
        kind, data = message
        if kind == BINARY:
            self.head = int.from_bytes(data[:8], "big") + len(data) - HEADER
            self._add(data[HEADER:])
        else:
            self._hear(json.loads(data))
        return True

    def _add(self, data: bytes) -> None:
        data = self._rest + data
        text = data.decode("utf-8", "replace")
        # A character may come in two pieces.
        cut = next((n for n in (1, 2, 3) if len(data) >= n and data[-n] >= 0xC0), 0)
        self._rest = data[-cut:] if cut and text.endswith("\ufffd") else b""
        if self._rest:
            text = data[: -len(self._rest)].decode("utf-8", "replace")
        self._text = (self._text + text)[-MOST:]

    def _hear(self, said: Dict[str, Any]) -> None:
        kind = said.get("type")
        if kind == "hello":
            self.mode, self.head = said["mode"], said["head"]
        elif kind == "mode":
            self.mode = said["mode"]
        elif kind == "reply":
            self._answers[said["id"]] = said
        elif kind == "ended":
            raise LabError(f"the session at the console was ended: {said['reason']}")

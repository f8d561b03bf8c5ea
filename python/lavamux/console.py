"""A console: typing, and waiting for what comes."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import time
from types import TracebackType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Type, Union
from urllib.parse import urlencode

from . import _files
from ._http import LabError, Refused, Unreachable, Way
from ._text import Text
from ._websocket import BINARY, TEXT, WebSocket

# The daemon takes 8 KiB at a time: so many characters, whatever they are.
PIECE = 2048
# Each piece of the board's bytes comes behind its offset and its time.
HEADER = 16
# A daemon that is gone is waited for so long, and asked again so often.
LINGER = 30.0
AGAIN = 0.5
# So often it is looked whether the board is still one's own.
LOOK = 1.0
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


class Ran(NamedTuple):
    """What a command has printed, and its exit code."""

    output: str
    code: int


class CommandFailed(LabError):
    """A command's exit code was not 0."""

    def __init__(self, command: str, ran: Ran) -> None:
        super().__init__(f"{command!r} ended with {ran.code}: {ran.output[-_SAID:]!r}")
        self.output, self.code = ran


class Console:
    """An attached console. A restart of its daemon costs nothing: it goes on at the byte where it was."""

    def __init__(
        self,
        way: Way,
        user: str,
        since: str,
        exclusive: bool,
        check: Optional[Callable[[], None]] = None,
    ) -> None:
        self._way, self._since = way, since
        self._query = {"mode": "exclusive" if exclusive else "rw", "user": user, "stay": "true"}
        self._check = check or (lambda: None)
        self._text = Text()
        self._next_id = 0
        self._answers: Dict[int, Dict[str, Any]] = {}
        self._lost = False
        self.mode = "spy"
        """``rw``, ``exclusive``, or ``spy`` when somebody else holds it."""
        self.head = 0
        """The offset of the next byte."""
        self._attach()

    def expect(self, pattern: Union[str, List[str]], timeout: float = 30.0) -> Match:
        """Waits until a regular expression, or the first of several, matches what comes, and takes it.

        Raises :class:`NotSeen` when it has not come in time.
        """
        patterns = [pattern] if isinstance(pattern, str) else pattern
        compiled = [re.compile(one, re.MULTILINE) for one in patterns]
        end = time.monotonic() + timeout
        self._text.from_the_start()
        while True:
            found = self._text.find(compiled)
            if found is not None:
                return Match(*found)
            if not self._more(end):
                raise NotSeen(" or ".join(patterns), timeout, self._text.tail(_SAID))

    def read(self, seconds: float) -> str:
        """What comes within so much time, and what has come and was not taken."""
        end = time.monotonic() + seconds
        while self._more(end):
            pass
        return self._text.take()

    def send(self, text: str, timeout: float = 30.0) -> None:
        """Types; comes back when the board's port has taken it."""
        for at in range(0, len(text), PIECE):
            self._ask({"request": "send", "text": text[at : at + PIECE]}, timeout)

    def sendline(self, text: str = "", timeout: float = 30.0) -> None:
        """Types, and Enter."""
        self.send(text + "\r", timeout)

    def run(self, command: str, *, timeout: float = 60.0, check: bool = True) -> Ran:
        """Runs a command at a POSIX shell, which has to be at its prompt: what it has printed, and its exit code.

        With ``check``, an exit code that is not 0 raises :class:`CommandFailed`.
        """
        mark = f"lava-{secrets.token_hex(4)}"
        # What is typed comes back, too, and is not to be taken for what the shell says to it. A wrong word ends no
        # more than its command (POSIX, command).
        typed = f"{mark[:4]}''{mark[4:]}"
        self.sendline(f"echo {typed}-b; command eval {shlex.quote(command)}; echo {typed}-e:$?", timeout)
        end = time.monotonic() + timeout
        self.expect(rf"{mark}-b\r*\n", timeout)
        came = self.expect(rf"{mark}-e:(\d+)\r*\n", max(0.1, end - time.monotonic()))
        ran = Ran(re.sub(r"\r+\n", "\n", came.before), int(came.match.group(1)))
        if check and ran.code != 0:
            raise CommandFailed(command, ran)
        return ran

    def put(self, local: "_files.Local", remote: str, *, timeout: float = 600.0) -> None:
        """Writes a file there: what is in a file here, or bytes. It goes over the console, so small files are
        meant; the shell has to be at its prompt, and to have ``base64`` and ``sha256sum``, as busybox has."""
        _files.put(self.run, local, remote, timeout)

    def get(self, remote: str, local: "Optional[_files.Path]" = None, *, timeout: float = 600.0) -> bytes:
        """What is in a file there; it is written into a file here, too, if one is named."""
        return _files.get(self.run, remote, local, timeout)

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

    def _attach(self) -> None:
        """Attaches, and waits for the first word, which says where the stream begins."""
        query = urlencode({**self._query, "from": self._since})
        try:
            self._socket = WebSocket(self._way.endpoint, f"{self._way.path}/attach?{query}")
        except LabError as error:
            if not self._way.leads(error):
                raise
            self._socket = WebSocket(self._way.endpoint, f"{self._way.path}/attach?{query}")
        self._greeted = False
        end = time.monotonic() + LINGER
        while not self._greeted:
            if not self._take(end - time.monotonic()):
                raise Unreachable(f"{self._way.endpoint.url}: the console says nothing")

    def _resume(self, error: Unreachable) -> None:
        """Attaches again, at the next byte."""
        self._since = str(self.head)
        end = time.monotonic() + LINGER
        while True:
            self._check()
            try:
                self._socket.close()
                return self._attach()
            except LabError as again:
                if not again.may_pass or time.monotonic() >= end:
                    raise error from again
            time.sleep(AGAIN)

    def _ask(self, request: Dict[str, Any], timeout: float) -> Dict[str, Any]:
        self._check()
        self._next_id += 1
        number = self._next_id
        try:
            self._socket.send(TEXT, json.dumps({"id": number, **request}).encode())
        except Unreachable as error:
            # What is sent in one piece to a daemon that is gone was not taken.
            self._resume(error)
            self._socket.send(TEXT, json.dumps({"id": number, **request}).encode())
        end = time.monotonic() + timeout
        socket = self._socket
        while number not in self._answers:
            if not self._more(end):
                raise LabError(f"the console has not answered within {timeout:g} s")
            if self._socket is not socket:
                raise Unreachable("the connection was lost while something was typed: nobody knows how much came")
        answer = self._answers.pop(number)
        if answer.get("answer") == "refused":
            raise Refused(answer["reason"])
        if answer.get("missing"):
            raise LabError(f"{answer['missing']} bytes were not sent: {answer.get('reason')}")
        return answer

    def _more(self, end: float) -> bool:
        """Waits for more until then; ``False`` when the time is over, however much comes."""
        while True:
            self._check()
            left = end - time.monotonic()
            if left <= 0:
                return False
            try:
                if self._take(min(left, LOOK)):
                    return True
            except Unreachable as error:
                self._resume(error)

    def _take(self, seconds: float) -> bool:
        """Takes one message, if one comes in time."""
        message = self._socket.receive(max(0.0, seconds))
        if message is None:
            return False
        kind, data = message
        if kind == BINARY:
            self.head = int.from_bytes(data[:8], "big") + len(data) - HEADER
            self._text.add(data[HEADER:])
        else:
            self._hear(json.loads(data))
        return True

    def _hear(self, said: Dict[str, Any]) -> None:
        kind = said.get("type")
        if kind == "hello":
            self.mode, self.head, self._greeted = said["mode"], said["from"], True
        elif kind == "mode":
            self.mode = said["mode"]
        elif kind == "reply":
            self._answers[said["id"]] = said
        elif kind == "ended":
            raise LabError(f"the session at the console was ended: {said['reason']}")

"""What a console has said and nobody has taken yet, and looking for something in it."""

from __future__ import annotations

import codecs
import re
from collections import deque
from typing import Deque, List, NamedTuple, Optional, Tuple

# So much of what has not been waited for is kept.
MOST = 16 * 1024 * 1024
# What is looked for is looked for again in so much of what has been looked through already.
OVERLAP = 64 * 1024
# Questions to a terminal, which shells ask behind their prompts (ECMA-48's DSR and DA), and the beginning of one.
_QUESTION = re.compile(r"\x1b\[[?>0-9;]*[nc]")
_HALF = re.compile(r"\x1b(\[[?>0-9;]{0,16})?\Z")


class Found(NamedTuple):
    before: str
    match: "re.Match[str]"
    which: int


class Text:
    """Grows at its end, and is taken from its beginning. Looking through it costs what has come, not what is there."""

    def __init__(self) -> None:
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pieces: Deque[str] = deque()
        self._size = 0
        # The end of it that is still to be looked through, behind the one character that says where lines begin.
        self._window = ""
        self._begin = 0

    def add(self, data: bytes) -> None:
        text = _QUESTION.sub("", self._rest + self._decoder.decode(data))
        half = _HALF.search(text)
        self._rest = half.group() if half else ""
        text = text[: len(text) - len(self._rest)]
        self._pieces.append(text)
        self._size += len(text)
        self._window += text
        while self._size > MOST and len(self._pieces) > 1:
            self._size -= len(self._pieces.popleft())

    def take(self) -> str:
        """All of it."""
        text = "".join(self._pieces)
        self._keep("")
        return text

    def tail(self, size: int) -> str:
        return "".join(self._pieces)[-size:]

    def from_the_start(self) -> None:
        """Something else is looked for from now on."""
        self._keep("".join(self._pieces))

    def find(self, patterns: "List[re.Pattern[str]]") -> Optional[Found]:
        """What comes first of several; it and what is before it are taken."""
        first: Optional[Tuple[int, int, "re.Match[str]"]] = None
        for which, pattern in enumerate(patterns):
            match = pattern.search(self._window, self._begin)
            if match is not None and (first is None or match.start() < first[0]):
                first = (match.start(), which, match)
        if first is None:
            if len(self._window) > 2 * OVERLAP:
                self._window, self._begin = self._window[-OVERLAP - 1 :], 1
            return None
        start, which, match = first
        text = "".join(self._pieces)
        offset = len(text) - len(self._window)
        self._keep(text[offset + match.end() :])
        return Found(text[: max(0, offset + start)], match, which)

    def _keep(self, text: str) -> None:
        self._pieces = deque([text] if text else [])
        self._size, self._window, self._begin = len(text), text, 0

"""Images: files that the server keeps for boards and jobs, as kernels and root file systems."""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union
from urllib.parse import quote

from ._http import Endpoint, LabError, WrongUse

# So many bytes are sent at once.
PIECE = 8 * 1024 * 1024
# So long an upload that gets no further is tried to go on with, in seconds: who sent before us is given up by the
# server after a minute. And how much later each time, no more than the longest.
PATIENCE = 120.0
PAUSE = 1.0
LONGEST_PAUSE = 10.0
# With its last piece a file is checked and stored, which takes its time.
STORED = 600.0
# How long an image may be kept, as lava has it.
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIME = re.compile(r"(\d+) ?([smhdw])")

Progress = Callable[[int, int], None]


class Image(NamedTuple):
    """A file that the server has."""

    name: str
    sha256: str
    size: int
    """In bytes."""
    user: str
    note: str
    made: float
    """A Unix time, as is its end."""
    until: Optional[float]
    """When it is removed; ``None`` when it is kept for ever."""

    @classmethod
    def _of(cls, info: Dict[str, Any]) -> "Image":
        until = info.get("until_us")
        return cls(
            name=str(info["name"]),
            sha256=str(info["sha256"]),
            size=int(info["size"]),
            user=str(info["user"]),
            note=str(info.get("note", "")),
            made=info["made_us"] / 1_000_000,
            until=None if until is None else until / 1_000_000,
        )


class Images:
    """The images of a lab, as ``lab.images``."""

    def __init__(self, server: Endpoint, user: str) -> None:
        self._server, self._user = server, user

    def put(
        self,
        file: "Union[str, os.PathLike[str], bytes]",
        name: Optional[str] = None,
        *,
        keep: Union[None, str, timedelta] = None,
        note: str = "",
        progress: Optional[Progress] = None,
    ) -> Image:
        """Stores a file, or bytes, under a name; that of the file when left out.

        It is kept as long as the server keeps images, or for ``keep``: ``"30d"``, a ``timedelta``, or ``"ever"``. The
        name may be that of an older image of one's own. What is there already is not sent, and what was sent before a
        connection broke, or this process, is not sent again. ``progress`` is called with how many bytes are there, of how
        many.
        """
        keep_s = None if keep is None else _seconds(keep)
        if name is None:
            if isinstance(file, bytes):
                raise WrongUse("bytes have no name: put(data, name)")
            name = Path(file).name
        source: BinaryIO = io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb")
        with source:
            size, sha256 = _hash(source)
            self._upload(source, size, sha256, progress or (lambda sent, size: None))
        told: Dict[str, Any] = {"sha256": sha256, "note": note, "user": self._user}
        if keep_s is not None:
            told["keep_s"] = keep_s
        return Image._of(self._server.ask("PUT", f"/images/{quote(name)}", told))

    def get(
        self,
        name: str,
        local: "Union[None, str, os.PathLike[str]]" = None,
        *,
        progress: Optional[Progress] = None,
    ) -> Path:
        """Writes what is in an image into a file here, of its name when none is said. The file is there when all of it has
        come and its checksum was right."""
        image = self.find(name)
        path = Path(image.name if local is None else local)
        part = path.with_name(f"{path.name}.part")
        try:
            with open(part, "wb") as file:
                for piece in self._content(image, progress):
                    file.write(piece)
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return path

    def read(self, name: str) -> bytes:
        """What is in an image, whose checksum was right."""
        return b"".join(self._content(self.find(name), None))

    def find(self, name: str) -> Image:
        """One image, by its name."""
        return Image._of(self._server.ask("GET", f"/images/{quote(name)}"))

    def list(self) -> List[Image]:
        """All that there are."""
        return [Image._of(info) for info in self._server.ask("GET", "/images")]

    def remove(self, name: str) -> None:
        """Takes one away; the file goes some time after its last name."""
        self._server.ask("DELETE", f"/images/{quote(name)}?user={quote(self._user)}")

    def _upload(self, source: BinaryIO, size: int, sha256: str, progress: Progress) -> None:
        told = {"size": size, "sha256": sha256, "user": self._user}
        upload: Optional[Dict[str, Any]] = None
        reached, since, pause = -1, time.monotonic(), PAUSE
        while True:
            try:
                if upload is None:
                    upload = self._server.ask("POST", "/uploads", told)
                    assert upload is not None
                if upload["offset"] != reached:
                    reached, since, pause = upload["offset"], time.monotonic(), PAUSE
                progress(reached, size)
                if upload["done"]:
                    return
                upload = self._send(source, upload)
            except LabError as error:
                if not _goes_on(error) or time.monotonic() - since > PATIENCE:
                    raise
                # How far it is now, only the server knows.
                upload = None
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _send(self, source: BinaryIO, upload: Dict[str, Any]) -> "Dict[str, Any]":
        offset, size = int(upload["offset"]), int(upload["size"])
        source.seek(offset)
        piece = source.read(min(PIECE, size - offset))
        # All may be there and only not stored yet: then nothing is sent, which has it stored.
        if not piece and offset < size:
            raise WrongUse("the file has become shorter while it was sent")
        path = f"/uploads/{quote(upload['id'])}?offset={offset}&user={quote(self._user)}"
        told: Dict[str, Any] = self._server.send("PATCH", path, piece, STORED)
        return told

    def _content(self, image: Image, progress: Optional[Progress]) -> Iterator[bytes]:
        """By its checksum: the name may be another file's meanwhile."""
        got, came = hashlib.sha256(), 0
        for piece in self._server.pieces(f"/images/{image.sha256}/content"):
            got.update(piece)
            came += len(piece)
            if progress is not None:
                progress(came, image.size)
            yield piece
        if got.hexdigest() != image.sha256:
            raise LabError(
                f"{image.name} did not come as it is stored: {came} bytes of {image.size}, and their SHA-256 is "
                f"{got.hexdigest()} [try again; if that does not help, the store is damaged]"
            )


def _hash(source: BinaryIO) -> Tuple[int, str]:
    size, hash = 0, hashlib.sha256()
    while True:
        piece = source.read(PIECE)
        if not piece:
            return size, hash.hexdigest()
        size += len(piece)
        hash.update(piece)


def _goes_on(error: LabError) -> bool:
    """Whether an upload goes on after that: a connection that broke, or somebody else who sends just now. A disk that is
    full is not asked again."""
    return error.kind == "lab" or (error.kind is None and error.may_pass)


def _seconds(keep: Union[str, timedelta]) -> int:
    """0 is for ever."""
    if isinstance(keep, timedelta):
        return max(1, int(keep.total_seconds()))
    if keep == "ever":
        return 0
    parts = _TIME.findall(keep)
    if not parts or _TIME.sub("", keep).strip():
        raise WrongUse(f'{keep!r} is no time to keep an image: "30d", "12h" or "ever"')
    return max(1, sum(int(number) * _UNITS[unit] for number, unit in parts))

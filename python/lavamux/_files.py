"""Files over a console, as lines of base64 with a checksum."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
import time
from pathlib import Path as _Path
from typing import Any, Callable, Optional, Union

from ._http import LabError

Path = Union[str, "os.PathLike[str]"]
Local = Union[str, "os.PathLike[str]", bytes]
# A line is no longer than what small shells take: busybox' has room for 1,024 characters.
LINE = 600
# More than this over a console is a mistake, in bytes.
MOST = 8 * 1024 * 1024


def put(run: Callable[..., Any], local: Local, remote: str, timeout: float) -> None:
    data = local if isinstance(local, bytes) else _Path(local).read_bytes()
    if len(data) > MOST:
        raise LabError(f"{len(data)} bytes are too many for a console, which takes {MOST}")
    end = time.monotonic() + timeout
    name = shlex.quote(remote)
    half = shlex.quote(f"{remote}.lava-b64")

    def step(command: str) -> str:
        return str(run(command, timeout=max(0.1, end - time.monotonic())).output)

    step(f": > {half}")
    text = base64.b64encode(data).decode()
    for at in range(0, len(text), LINE):
        step(f"echo {text[at : at + LINE]} >> {half}")
    step(f"base64 -d < {half} > {name} && rm -f {half}")
    _compare(step(f"sha256sum < {name}"), data, remote)


def get(run: Callable[..., Any], remote: str, local: Optional[Path], timeout: float) -> bytes:
    end = time.monotonic() + timeout
    name = shlex.quote(remote)
    size = int(run(f"wc -c < {name}", timeout=timeout).output)
    if size > MOST:
        raise LabError(f"{remote} has {size} bytes, and a console takes {MOST}")
    told = run(f"base64 < {name} && sha256sum < {name}", timeout=max(0.1, end - time.monotonic())).output
    text, _, checksum = told.rstrip().rpartition("\n")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise LabError(f"{remote} came damaged over the console: {error}") from error
    _compare(checksum, data, remote)
    if local is not None:
        _Path(local).write_bytes(data)
    return data


def _compare(told: str, data: bytes, remote: str) -> None:
    if told.split()[:1] != [hashlib.sha256(data).hexdigest()]:
        raise LabError(f"{remote} is not the same here and there: its SHA-256 there is {told.strip()!r}")

"""The same for asyncio: what waits is awaited, and cancelling it gives up what is waited for.

    from lavamux.aio import AsyncLab

    async with await AsyncLab().reserve("panda", hours=1) as board:
        await board.power.cycle()
        async with await board.console(since="reset") as console:
            await console.expect(r"login: ")

Each call that waits has a thread of its own while it does.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, AsyncGenerator, Callable, Dict, List, Optional, Type, TypeVar, Union

from . import _files
from ._thread import in_thread, stream
from .board import Board, Power, SshInfo
from .boot import Boot
from .console import Console, Match, Ran
from .images import Image, Images, Progress
from .job import Job, Result
from .lab import Lab, Lease, Request

T = TypeVar("T")
_Kind = Optional[Type[BaseException]]


class AsyncLab:
    """As :class:`lavamux.Lab`."""

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        token: Optional[str] = None,
        ca: Optional[str] = None,
        user: Optional[str] = None,
    ) -> None:
        self.sync = Lab(url, token=token, ca=ca, user=user)
        self.images = AsyncImages(self.sync.images)

    def events(self) -> "AsyncGenerator[Dict[str, Any], None]":
        """As :meth:`lavamux.Lab.events`, for ``async for``."""
        return stream(self.sync._events())

    async def boards(self) -> List[Dict[str, Any]]:
        return await in_thread(self.sync.boards)

    def result(self, name: str, result: str = "pass", **more: Any) -> None:
        """As :meth:`lavamux.Lab.result`; it waits for nobody."""
        self.sync.result(name, result, **more)

    async def board(self, name: str) -> "AsyncBoard":
        return AsyncBoard(await in_thread(lambda: self.sync.board(name)))

    async def submit_job(self, job: "Union[str, Path]") -> "AsyncJob":
        return AsyncJob(await in_thread(lambda: self.sync.submit_job(job)))

    async def job(self, id: int) -> "AsyncJob":
        return AsyncJob(await in_thread(lambda: self.sync.job(id)))

    async def jobs(self, limit: int = 50) -> "List[AsyncJob]":
        return [AsyncJob(job) for job in await in_thread(lambda: self.sync.jobs(limit))]

    async def run_ci(self, name: str, *args: str) -> "AsyncJob":
        return AsyncJob(await in_thread(lambda: self.sync.run_ci(name, *args)))

    async def ci_jobs(self) -> List[Dict[str, Any]]:
        return await in_thread(self.sync.ci_jobs)

    async def submit(self, spec: str = "", **asked: Any) -> "AsyncRequest":
        submit = in_thread(lambda: self.sync.submit(spec, **asked), Request._give_up)
        return AsyncRequest(await submit)

    async def reserve(
        self,
        spec: str = "",
        *,
        timeout: Optional[float] = None,
        progress: Optional[Callable[[Request], None]] = None,
        **asked: Any,
    ) -> "AsyncLease":
        """As :meth:`lavamux.Lab.reserve`; ``progress`` is called in the loop. Cancelled, it calls the request back."""
        request = await self.submit(spec, **asked)
        try:
            return await request.wait(timeout, progress)
        except BaseException:
            await asyncio.shield(in_thread(request.sync._give_up))
            raise


class AsyncImages:
    """As :class:`lavamux.Images`, which is ``sync``. Cancelled, files come or go no further."""

    def __init__(self, images: Images) -> None:
        self.sync = images

    async def put(
        self,
        file: "Union[str, os.PathLike[str], bytes]",
        name: Optional[str] = None,
        *,
        progress: Optional[Progress] = None,
        **more: Any,
    ) -> Image:
        """As :meth:`lavamux.Images.put`; ``progress`` is called in the loop."""
        return await _moved(lambda tell: self.sync.put(file, name, progress=tell, **more), progress)

    async def get(
        self,
        name: str,
        local: "Union[None, str, os.PathLike[str]]" = None,
        *,
        progress: Optional[Progress] = None,
    ) -> Path:
        """As :meth:`lavamux.Images.get`; ``progress`` is called in the loop."""
        return await _moved(lambda tell: self.sync.get(name, local, progress=tell), progress)

    async def read(self, name: str) -> bytes:
        return await in_thread(lambda: self.sync.read(name))

    async def find(self, name: str) -> Image:
        return await in_thread(lambda: self.sync.find(name))

    async def list(self) -> List[Image]:
        return await in_thread(self.sync.list)

    async def remove(self, name: str) -> None:
        await in_thread(lambda: self.sync.remove(name))


class _GivenUp(Exception):
    """Nobody waits for the file any more."""


async def _moved(move: Callable[[Progress], T], progress: Optional[Progress]) -> T:
    loop, over = asyncio.get_running_loop(), threading.Event()

    def tell(done: int, size: int) -> None:
        if over.is_set():
            raise _GivenUp
        if progress is not None:
            loop.call_soon_threadsafe(progress, done, size)

    try:
        return await in_thread(lambda: move(tell))
    finally:
        over.set()


class AsyncJob:
    """As :class:`lavamux.Job`, which is ``sync``."""

    def __init__(self, job: Job) -> None:
        self.sync = job

    @property
    def id(self) -> int:
        return self.sync.id

    @property
    def state(self) -> str:
        return self.sync.state

    @property
    def health(self) -> str:
        return self.sync.health

    @property
    def error(self) -> Optional[str]:
        return self.sync.error

    @property
    def boards(self) -> List[str]:
        return self.sync.boards

    async def look(self) -> "AsyncJob":
        await in_thread(self.sync.look)
        return self

    async def wait(self, timeout: Optional[float] = None) -> "AsyncJob":
        """As :meth:`lavamux.Job.wait`. Cancelled, it waits no more, and the job goes on."""
        looks = self.sync._looks(timeout)
        while (pause := await in_thread(lambda: next(looks, None))) is not None:
            await asyncio.sleep(pause)
        return self

    async def results(self, board: Optional[str] = None) -> List[Result]:
        return await in_thread(lambda: self.sync.results(board))

    def log(self, line: int = 0, board: Optional[str] = None) -> "AsyncGenerator[Dict[str, Any], None]":
        """As :meth:`lavamux.Job.log`, for ``async for``."""
        return stream(self.sync._lines(line, board))

    async def junit(self, board: Optional[str] = None) -> str:
        return await in_thread(lambda: self.sync.junit(board))

    async def resubmit(self) -> "AsyncJob":
        return AsyncJob(await in_thread(self.sync.resubmit))

    async def cancel(self) -> None:
        await in_thread(self.sync.cancel)


class AsyncRequest:
    """As :class:`lavamux.Request`, which is ``sync``."""

    def __init__(self, request: Request) -> None:
        self.sync = request

    @property
    def id(self) -> int:
        return self.sync.id

    @property
    def state(self) -> str:
        return self.sync.state

    @property
    def position(self) -> Optional[int]:
        return self.sync.position

    @property
    def estimate(self) -> Optional[float]:
        return self.sync.estimate

    @property
    def why(self) -> str:
        return self.sync.why

    async def look(self) -> "AsyncRequest":
        await in_thread(self.sync.look)
        return self

    async def wait(
        self,
        timeout: Optional[float] = None,
        progress: Optional[Callable[[Request], None]] = None,
    ) -> "AsyncLease":
        loop = asyncio.get_running_loop()

        def tell(request: Request) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, request)

        try:
            return AsyncLease(await in_thread(lambda: self.sync.wait(timeout, tell)))
        except asyncio.CancelledError:
            self.sync._cancelled.set()
            raise

    async def release(self) -> None:
        await in_thread(self.sync.release)


class AsyncLease:
    """As :class:`lavamux.Lease`, which is ``sync``; for ``async with``."""

    def __init__(self, lease: Lease) -> None:
        self.sync = lease
        self.boards = [AsyncBoard(board) for board in lease.boards]

    @property
    def id(self) -> int:
        return self.sync.id

    @property
    def until(self) -> float:
        return self.sync.until

    @property
    def lost(self) -> bool:
        return self.sync.lost

    async def extend(self, *, hours: float = 0, minutes: float = 0) -> None:
        await in_thread(lambda: self.sync.extend(hours=hours, minutes=minutes))

    async def share(self, user: str) -> None:
        await in_thread(lambda: self.sync.share(user))

    async def unshare(self, user: str) -> None:
        await in_thread(lambda: self.sync.unshare(user))

    async def hand_over(self, user: str) -> None:
        await in_thread(lambda: self.sync.hand_over(user))

    async def release(self) -> None:
        await in_thread(self.sync.release)

    async def __aenter__(self) -> "Union[AsyncBoard, List[AsyncBoard]]":
        return self.boards[0] if len(self.boards) == 1 else self.boards

    async def __aexit__(self, kind: _Kind, error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await asyncio.shield(in_thread(lambda: self.sync.__exit__(kind, error, trace)))


class AsyncBoard:
    """As :class:`lavamux.Board`, which is ``sync``."""

    def __init__(self, board: Board) -> None:
        self.sync = board

    @property
    def name(self) -> str:
        return self.sync.name

    @property
    def power(self) -> "AsyncPower":
        return AsyncPower(self.sync.power)

    def ssh_info(self) -> SshInfo:
        return self.sync.ssh_info()

    async def console(self, *, since: str = "head", exclusive: bool = False) -> "AsyncConsole":
        attach = in_thread(lambda: self.sync.console(since=since, exclusive=exclusive), Console.close)
        return AsyncConsole(await attach)

    async def boot(self, image: str, **asked: Any) -> "AsyncBoot":
        """As :meth:`lavamux.Board.boot`; :meth:`wait_ready` waits for it."""
        return AsyncBoot(await in_thread(lambda: self.sync.boot(image, **asked)))

    async def identify(self) -> str:
        return await in_thread(self.sync.identify)

    async def wait_ready(self, prompt: Optional[str] = None, timeout: float = 300.0, since: str = "reset") -> None:
        await in_thread(lambda: self.sync.wait_ready(prompt, timeout, since))

    async def run(self, command: str, *, timeout: float = 60.0, check: bool = True) -> Ran:
        return await in_thread(lambda: self.sync.run(command, timeout=timeout, check=check))

    async def put(self, local: "_files.Local", remote: str, *, timeout: float = 600.0) -> None:
        await in_thread(lambda: self.sync.put(local, remote, timeout=timeout))

    async def get(self, remote: str, local: "Optional[_files.Path]" = None, *, timeout: float = 600.0) -> bytes:
        return await in_thread(lambda: self.sync.get(remote, local, timeout=timeout))


class AsyncBoot:
    """As :class:`lavamux.Boot`, which is ``sync``."""

    def __init__(self, boot: Boot) -> None:
        self.sync = boot

    @property
    def id(self) -> int:
        return self.sync.id

    @property
    def state(self) -> str:
        return self.sync.state

    @property
    def why(self) -> str:
        return self.sync.why

    async def look(self) -> "AsyncBoot":
        await in_thread(self.sync.look)
        return self

    def follow(self) -> "AsyncGenerator[str, None]":
        """As :meth:`lavamux.Boot.follow`, for ``async for``."""
        return stream(self.sync._states(None))

    async def wait_ready(self, timeout: Optional[float] = 1800.0) -> "AsyncBoot":
        """As :meth:`lavamux.Boot.wait_ready`. Cancelled, it waits no more, and the boot goes on."""
        end = None if timeout is None else time.monotonic() + timeout
        async for _ in stream(self.sync._states(end)):
            pass
        self.sync._is_ready()
        return self


class AsyncPower:
    """As :class:`lavamux.Power`."""

    def __init__(self, power: Power) -> None:
        self.sync = power

    async def on(self) -> str:
        return await in_thread(self.sync.on)

    async def off(self) -> str:
        return await in_thread(self.sync.off)

    async def cycle(self) -> str:
        return await in_thread(self.sync.cycle)

    async def status(self) -> str:
        return await in_thread(self.sync.status)


class AsyncConsole:
    """As :class:`lavamux.Console`, which is ``sync``; for ``async with``. One thing is done with it at a time."""

    def __init__(self, console: Console) -> None:
        self.sync = console

    async def expect(self, pattern: Union[str, List[str]], timeout: float = 30.0) -> Match:
        return await in_thread(lambda: self.sync.expect(pattern, timeout))

    async def read(self, seconds: float) -> str:
        return await in_thread(lambda: self.sync.read(seconds))

    async def send(self, text: str, timeout: float = 30.0) -> None:
        await in_thread(lambda: self.sync.send(text, timeout))

    async def sendline(self, text: str = "", timeout: float = 30.0) -> None:
        await in_thread(lambda: self.sync.sendline(text, timeout))

    async def run(self, command: str, *, timeout: float = 60.0, check: bool = True) -> Ran:
        return await in_thread(lambda: self.sync.run(command, timeout=timeout, check=check))

    async def put(self, local: "_files.Local", remote: str, *, timeout: float = 600.0) -> None:
        await in_thread(lambda: self.sync.put(local, remote, timeout=timeout))

    async def get(self, remote: str, local: "Optional[_files.Path]" = None, *, timeout: float = 600.0) -> bytes:
        return await in_thread(lambda: self.sync.get(remote, local, timeout=timeout))

    async def close(self) -> None:
        await in_thread(self.sync.close)

    async def __aenter__(self) -> "AsyncConsole":
        return self

    async def __aexit__(self, kind: _Kind, error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await asyncio.shield(in_thread(self.sync.close))

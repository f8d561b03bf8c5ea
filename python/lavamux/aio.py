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
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Type, TypeVar, Union

from . import _files
from .board import Board, Power, SshInfo
from .boot import Boot
from .console import Console, Match, Ran
from .job import Job, Result
from .lab import Lab, Lease, Request

T = TypeVar("T")
_Kind = Optional[Type[BaseException]]


async def _in_thread(work: Callable[[], T], undo: Optional[Callable[[T], None]] = None) -> T:
    """What work comes to; what it has come to after nobody waits any more is undone."""
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[T]" = loop.create_future()

    def told(result: Optional[T], error: Optional[BaseException]) -> None:
        if future.done():
            if error is None and undo is not None:
                threading.Thread(target=undo, args=(result,), daemon=True).start()
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: Optional[T] = None
        failed: Optional[BaseException] = None
        try:
            result = work()
        except BaseException as error:
            failed = error
        try:
            loop.call_soon_threadsafe(told, result, failed)
        except RuntimeError:
            # The loop is over.
            if failed is None and undo is not None:
                undo(result)  # type: ignore[arg-type]

    threading.Thread(target=run, daemon=True, name="lavamux").start()
    return await future


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

    async def boards(self) -> List[Dict[str, Any]]:
        return await _in_thread(self.sync.boards)

    def result(self, name: str, result: str = "pass", **more: Any) -> None:
        """As :meth:`lavamux.Lab.result`; it waits for nobody."""
        self.sync.result(name, result, **more)

    async def board(self, name: str) -> "AsyncBoard":
        return AsyncBoard(await _in_thread(lambda: self.sync.board(name)))

    async def submit_job(self, job: "Union[str, Path]") -> "AsyncJob":
        return AsyncJob(await _in_thread(lambda: self.sync.submit_job(job)))

    async def job(self, id: int) -> "AsyncJob":
        return AsyncJob(await _in_thread(lambda: self.sync.job(id)))

    async def submit(self, spec: str = "", **asked: Any) -> "AsyncRequest":
        submit = _in_thread(lambda: self.sync.submit(spec, **asked), Request._give_up)
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
            await asyncio.shield(_in_thread(request.sync._give_up))
            raise


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

    async def look(self) -> "AsyncJob":
        await _in_thread(self.sync.look)
        return self

    async def wait(self, timeout: Optional[float] = None) -> "AsyncJob":
        """As :meth:`lavamux.Job.wait`. Cancelled, it waits no more, and the job goes on."""
        looks = self.sync._looks(timeout)
        while (pause := await _in_thread(lambda: next(looks, None))) is not None:
            await asyncio.sleep(pause)
        return self

    async def results(self, board: Optional[str] = None) -> List[Result]:
        return await _in_thread(lambda: self.sync.results(board))

    async def cancel(self) -> None:
        await _in_thread(self.sync.cancel)


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
    def why(self) -> str:
        return self.sync.why

    async def look(self) -> "AsyncRequest":
        await _in_thread(self.sync.look)
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
            return AsyncLease(await _in_thread(lambda: self.sync.wait(timeout, tell)))
        except asyncio.CancelledError:
            self.sync._cancelled.set()
            raise

    async def release(self) -> None:
        await _in_thread(self.sync.release)


class AsyncLease:
    """As :class:`lavamux.Lease`, which is ``sync``; for ``async with``."""

    def __init__(self, lease: Lease) -> None:
        self.sync = lease
        self.boards = [AsyncBoard(board) for board in lease.boards]

    @property
    def lost(self) -> bool:
        return self.sync.lost

    async def extend(self, *, hours: float = 0, minutes: float = 0) -> None:
        await _in_thread(lambda: self.sync.extend(hours=hours, minutes=minutes))

    async def share(self, user: str) -> None:
        await _in_thread(lambda: self.sync.share(user))

    async def release(self) -> None:
        await _in_thread(self.sync.release)

    async def __aenter__(self) -> "Union[AsyncBoard, List[AsyncBoard]]":
        return self.boards[0] if len(self.boards) == 1 else self.boards

    async def __aexit__(self, kind: _Kind, error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await asyncio.shield(_in_thread(lambda: self.sync.__exit__(kind, error, trace)))


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
        attach = _in_thread(lambda: self.sync.console(since=since, exclusive=exclusive), Console.close)
        return AsyncConsole(await attach)

    async def boot(self, image: str, **asked: Any) -> Boot:
        """As :meth:`lavamux.Board.boot`; :meth:`wait_ready` waits for it."""
        return await _in_thread(lambda: self.sync.boot(image, **asked))

    async def wait_ready(self, prompt: Optional[str] = None, timeout: float = 300.0, since: str = "reset") -> None:
        await _in_thread(lambda: self.sync.wait_ready(prompt, timeout, since))

    async def run(self, command: str, *, timeout: float = 60.0, check: bool = True) -> Ran:
        return await _in_thread(lambda: self.sync.run(command, timeout=timeout, check=check))

    async def put(self, local: "_files.Local", remote: str, *, timeout: float = 600.0) -> None:
        await _in_thread(lambda: self.sync.put(local, remote, timeout=timeout))

    async def get(self, remote: str, local: "Optional[_files.Path]" = None, *, timeout: float = 600.0) -> bytes:
        return await _in_thread(lambda: self.sync.get(remote, local, timeout=timeout))


class AsyncPower:
    """As :class:`lavamux.Power`."""

    def __init__(self, power: Power) -> None:
        self.sync = power

    async def on(self) -> str:
        return await _in_thread(self.sync.on)

    async def off(self) -> str:
        return await _in_thread(self.sync.off)

    async def cycle(self) -> str:
        return await _in_thread(self.sync.cycle)

    async def status(self) -> str:
        return await _in_thread(self.sync.status)


class AsyncConsole:
    """As :class:`lavamux.Console`, which is ``sync``; for ``async with``. One thing is done with it at a time."""

    def __init__(self, console: Console) -> None:
        self.sync = console

    async def expect(self, pattern: Union[str, List[str]], timeout: float = 30.0) -> Match:
        return await _in_thread(lambda: self.sync.expect(pattern, timeout))

    async def read(self, seconds: float) -> str:
        return await _in_thread(lambda: self.sync.read(seconds))

    async def send(self, text: str, timeout: float = 30.0) -> None:
        await _in_thread(lambda: self.sync.send(text, timeout))

    async def sendline(self, text: str = "", timeout: float = 30.0) -> None:
        await _in_thread(lambda: self.sync.sendline(text, timeout))

    async def run(self, command: str, *, timeout: float = 60.0, check: bool = True) -> Ran:
        return await _in_thread(lambda: self.sync.run(command, timeout=timeout, check=check))

    async def put(self, local: "_files.Local", remote: str, *, timeout: float = 600.0) -> None:
        await _in_thread(lambda: self.sync.put(local, remote, timeout=timeout))

    async def get(self, remote: str, local: "Optional[_files.Path]" = None, *, timeout: float = 600.0) -> bytes:
        return await _in_thread(lambda: self.sync.get(remote, local, timeout=timeout))

    async def close(self) -> None:
        await _in_thread(self.sync.close)

    async def __aenter__(self) -> "AsyncConsole":
        return self

    async def __aexit__(self, kind: _Kind, error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await asyncio.shield(_in_thread(self.sync.close))

"""Threads for asyncio: each call that waits has one of its own while it does."""

from __future__ import annotations

import asyncio
import threading
from typing import AsyncGenerator, Callable, Generator, Optional, Tuple, TypeVar

T = TypeVar("T")
# So many items of a stream are there at most that nobody has taken.
AHEAD = 1024


async def in_thread(work: Callable[[], T], undo: Optional[Callable[[T], None]] = None) -> T:
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


async def stream(items: "Generator[Optional[T], None, None]") -> "AsyncGenerator[T, None]":
    """The items of something that waits for each; ``None`` is a sign of life, at which it is ended when nobody takes
    any more."""
    loop = asyncio.get_running_loop()
    # The last one has no item, and why there are no more.
    came: "asyncio.Queue[Tuple[Optional[T], Optional[BaseException]]]" = asyncio.Queue()
    room, over = threading.Semaphore(AHEAD), threading.Event()

    def tell(item: Optional[T], error: Optional[BaseException]) -> None:
        try:
            loop.call_soon_threadsafe(came.put_nowait, (item, error))
        except RuntimeError:
            # The loop is over.
            over.set()

    def run() -> None:
        failed: Optional[BaseException] = None
        try:
            for item in items:
                if item is not None:
                    room.acquire()
                if over.is_set():
                    break
                if item is not None:
                    tell(item, None)
        except BaseException as error:
            failed = error
        items.close()
        tell(None, failed)

    threading.Thread(target=run, daemon=True, name="lavamux stream").start()
    try:
        while True:
            item, error = await came.get()
            if error is not None:
                raise error
            if item is None:
                return
            room.release()
            yield item
    finally:
        over.set()
        room.release()

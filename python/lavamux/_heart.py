"""Has a server hear of one's requests, as long as this process lives."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol
from weakref import WeakValueDictionary

from ._http import Endpoint, LabError

# So often the server hears of us, and so soon again when it has not.
BEAT = 20.0
AGAIN = 5.0
# One beat does not hold up the next one for longer.
TIMEOUT = 10.0


class Beating(Protocol):
    """What has a heart."""

    def _has_stopped(self) -> None:
        """The server knows it no more, or it is somebody else's."""


class Heart:
    """One thread for all requests of a lab. Of one that nobody holds any more the server does not hear, either."""

    def __init__(self, server: Endpoint, user: str) -> None:
        self._server, self._user = server, user
        self._lock = threading.Lock()
        self._alive: "WeakValueDictionary[int, Any]" = WeakValueDictionary()
        self._beats = False

    def add(self, number: int, request: Beating) -> None:
        with self._lock:
            self._alive[number] = request
            if not self._beats:
                self._beats = True
                threading.Thread(target=self._run, daemon=True, name="lavamux heart").start()

    def stop(self, number: int) -> None:
        with self._lock:
            self._alive.pop(number, None)

    def _run(self) -> None:
        pause = BEAT
        while True:
            time.sleep(pause)
            with self._lock:
                alive = dict(self._alive)
                if not alive:
                    self._beats = False
                    return
            pause = BEAT if self._beat(alive) else AGAIN

    def _beat(self, alive: "dict[int, Any]") -> bool:
        """Whether the server has heard of all that it knows."""
        body = {"user": self._user}
        for number, request in alive.items():
            try:
                self._server.ask("POST", f"/requests/{number}/heartbeat", body, timeout=TIMEOUT)
            except LabError as error:
                if error.status not in (403, 404):
                    # A proxy, a disk or a token that is renewed: it may be heard the next time.
                    return False
                self.stop(number)
                request._has_stopped()
        return True

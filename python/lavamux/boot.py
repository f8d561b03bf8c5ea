"""The boot of a board that one has leased."""

from __future__ import annotations

import time
from typing import Any, Dict, Generator, Iterator, Optional
from urllib.parse import quote

from ._http import Endpoint, LabError, Refused

# A server says something every 5 s while it is followed, and is asked again so soon when it is gone, in seconds.
SILENCE = 30.0
AGAIN = 0.5


class Boot:
    """A boot that was begun. ``info`` is the job that does it, as the server told it last."""

    def __init__(self, server: Endpoint, user: str, info: Dict[str, Any]) -> None:
        self._server, self._user = server, user
        self.info = info

    @property
    def id(self) -> int:
        return int(self.info["id"])

    @property
    def state(self) -> str:
        """``queued``, ``deploying``, ``booting``, ``login``, ``ready`` or ``failed``."""
        return str(self.info.get("boot", "queued"))

    @property
    def why(self) -> str:
        """Why it has failed, or what it waits for."""
        return str(self.info.get("error_msg") or self.info.get("waiting") or "")

    def look(self) -> "Boot":
        """Asks how far it is."""
        self.info = self._server.ask("GET", f"/jobs/{self.id}?user={quote(self._user)}")
        return self

    def follow(self) -> Iterator[str]:
        """The state that it is in, and each that it comes to, as soon as the server knows, up to ``ready`` or ``failed``.
        A server that is gone for a while is waited for; states that came and went meanwhile are left out."""
        for state in self._states(None):
            if state is not None:
                yield state

    def wait_ready(self, timeout: Optional[float] = 1800.0) -> "Boot":
        """Waits until the board's shell, or its SSH server, is there. A server that is gone for a while is waited for.

        Raises :class:`Refused` with the reason when it has failed, and :class:`TimeoutError`.
        """
        for _ in self._states(None if timeout is None else time.monotonic() + timeout):
            pass
        return self._is_ready()

    def _is_ready(self) -> "Boot":
        if self.state == "failed":
            raise Refused(f"job {self.id} did not boot it: {self.why}")
        return self

    def _states(self, end: Optional[float]) -> "Generator[Optional[str], None, None]":
        """What :meth:`follow` gives, and ``None`` whenever it stands as it stood."""
        told = None

        def silence() -> float:
            return SILENCE if end is None else max(0.1, min(SILENCE, end - time.monotonic()))

        while True:
            try:
                # It is asked once it hears: nothing is missed between the two.
                for event in self._server.events("/events", silence):
                    if event is None or (event["about"], event["id"]) == ("job", str(self.id)):
                        self.look()
                        yield self.state if self.state != told else None
                        told = self.state
                    if self._is_over(end):
                        return
            except LabError as error:
                if not error.may_pass:
                    raise
                yield None
                if error.status == 429:
                    # Too many follow what changes: then it is asked again and again.
                    self._look_if_there()
            if self._is_over(end):
                return
            time.sleep(AGAIN)

    def _look_if_there(self) -> None:
        try:
            self.look()
        except LabError as error:
            if not error.may_pass:
                raise

    def _is_over(self, end: Optional[float]) -> bool:
        over = self.state in ("ready", "failed")
        if not over and end is not None and time.monotonic() >= end:
            raise TimeoutError(f"job {self.id} is still {self.state}: {self.why}")
        return over

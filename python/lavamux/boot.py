"""The boot of a board that one has leased."""

from __future__ import annotations

import time
from typing import Any, Dict, Optional
from urllib.parse import quote

from ._http import Endpoint, LabError, Refused

# So often it is asked how far it is, in seconds.
LOOK = 0.5


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

    def wait_ready(self, timeout: Optional[float] = 1800.0) -> "Boot":
        """Waits until the board's shell, or its SSH server, is there. A server that is gone for a while is waited for.

        Raises :class:`Refused` with the reason when it has failed, and :class:`TimeoutError`.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self.state != "ready":
            if self.state == "failed":
                raise Refused(f"job {self.id} did not boot it: {self.why}")
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"job {self.id} is still {self.state}: {self.why}")
            time.sleep(LOOK)
            try:
                self.look()
            except LabError as error:
                if not error.may_pass:
                    raise
        return self

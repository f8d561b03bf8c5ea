"""One board: its console and its power."""

from __future__ import annotations

from typing import Any, Dict, Optional
from urllib.parse import quote

from ._http import Endpoint, WrongUse
from .console import Console

# A cycle waits, and others may be queued before it.
OPERATION = 600.0


class Board:
    """A board, as the server knew it when it was asked."""

    def __init__(
        self, info: Dict[str, Any], token: Optional[str], ca: Optional[str], user: str
    ) -> None:
        self.info = info
        self._token, self._ca, self._user = token, ca, user

    @property
    def name(self) -> str:
        return str(self.info["name"])

    @property
    def type(self) -> str:
        return str(self.info["type"])

    @property
    def power(self) -> "Power":
        url = self.info.get("outlet_url")
        if not url:
            raise WrongUse(f"{self.name} has no outlet")
        endpoint, path = Endpoint.split(url, self._token, self._ca)
        return Power(endpoint, path, self._user)

    def console(self, *, since: str = "head", exclusive: bool = False) -> Console:
        """Attaches to its console, to be used with ``with``.

        ``since`` is where it begins: ``head``, an offset, a time, an age (``10m``), or ``reset``, which is
        before the last reset.
        """
        url = self.info.get("console_url")
        if not url:
            raise WrongUse(f"{self.name} has no console")
        endpoint, path = Endpoint.split(url, self._token, self._ca)
        return Console(endpoint, path, self._user, since, exclusive)

    def wait_ready(self, prompt: str = r"login: ?$", timeout: float = 300.0, since: str = "reset") -> None:
        """Waits until the console shows that the board is there; looks from its last reset on."""
        with self.console(since=since) as console:
            console.expect(prompt, timeout)

    def __repr__(self) -> str:
        return f"Board({self.name!r})"


class Power:
    """An outlet. What it answers was verified at the PDU, where that can be asked."""

    def __init__(self, endpoint: Endpoint, path: str, user: str) -> None:
        self._endpoint, self._path, self._user = endpoint, path, user

    def on(self) -> str:
        return self._switch("on")

    def off(self) -> str:
        return self._switch("off")

    def cycle(self) -> str:
        """Off, a wait, and on again."""
        return self._switch("cycle")

    def status(self) -> str:
        path = f"{self._path}?user={quote(self._user)}"
        return str(self._endpoint.ask("GET", path, timeout=OPERATION)["state"])

    def _switch(self, verb: str) -> str:
        body = {"user": self._user}
        report = self._endpoint.ask("POST", f"{self._path}/{verb}", body, timeout=OPERATION)
        return str(report["state"])

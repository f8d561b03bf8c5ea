"""The lab: asking for boards, and having them."""

from __future__ import annotations

import getpass
import json
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, Generator, Iterator, List, Optional, Type, Union
from urllib.parse import quote

from ._heart import Heart
from ._http import TIMEOUT, Endpoint, LabError, Lost, Refused, Unreachable, WrongUse
from .board import Board
from .images import Images
from .job import Job, definition

# A request and its lease end by themselves when nothing is heard of us for so long.
HEARTBEAT = "90s"
# A server says something every 5 s while it is followed.
SILENCE = 30.0
# What is given up is given back within this, also when the server is gone.
LEAVING = 5.0
# So long it takes at most until the outlets of boards know whose they are.
READY = 30.0


class Lab:
    """A ``lava-server``.

    ``url`` is ``$LAVA_SERVER`` when left out, the token ``$LAVA_TOKEN`` or what is in
    ``$LAVA_TOKEN_FILE`` or ``~/.config/lava/token``, ``ca`` the file of the CA of its certificate, ``$LAVA_CA``.
    ``user`` says who asks where nobody has to log in.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        token: Optional[str] = None,
        ca: Optional[str] = None,
        user: Optional[str] = None,
    ) -> None:
        url = url or os.environ.get("LAVA_SERVER") or "http://127.0.0.1:7000"
        self._token = token or _token()
        self._ca = ca
        self.user = user or os.environ.get("LAVA_USER") or getpass.getuser()
        self._server = Endpoint(url, self._token, ca)
        self._heart = Heart(self._server, self.user)
        self.images = Images(self._server, self.user)
        """The files that the server keeps, for :meth:`Board.boot` and jobs."""

    def boards(self) -> List[Dict[str, Any]]:
        """What the server knows of each board."""
        found: List[Dict[str, Any]] = self._server.ask("GET", "/boards")
        return found

    def events(self) -> Iterator[Dict[str, Any]]:
        """What becomes of boards, requests, jobs and daemons from now on, without end: ``about`` what, its ``id``, and
        ``what`` it is now; of a board's boot also how far it is, ``boot``. Raises :class:`Unreachable` when the server is
        gone; what was missed is in the lists then."""
        for event in self._events():
            if event is not None:
                yield event

    def _events(self) -> "Generator[Optional[Dict[str, Any]], None, None]":
        """What :meth:`events` gives, and ``None`` at signs of life."""
        yield from self._server.events("/events", lambda: SILENCE)
        raise Unreachable("the server has ended its events")

    def submit(
        self,
        spec: str = "",
        *,
        type: Optional[str] = None,
        boards: int = 1,
        specs: Optional[List[str]] = None,
        hours: Optional[float] = None,
        minutes: Optional[float] = None,
        start: Optional[float] = None,
        priority: Optional[int] = None,
        reason: Optional[str] = None,
    ) -> "Request":
        """Asks for boards, and does not wait for them.

        ``spec`` is what they are to be like, as ``"panda ram>=1GB"``; ``specs`` in its place has a
        description for each. They are asked for two hours unless it is said otherwise. ``start`` is a Unix
        time, from which on they are booked. What is not booked is the server's to forget 90 s after
        this process, or the request's last use in it, has ended.
        """
        seconds = _seconds(hours, minutes) if (hours, minutes) != (None, None) else 7200
        body: Dict[str, Any] = {"for": f"{seconds}s", "user": self.user}
        if specs is not None:
            body["specs"] = specs
        else:
            body["spec"] = " ".join(word for word in (type, spec) if word)
            body["boards"] = boards
        if start is None:
            body["heartbeat"] = HEARTBEAT
        else:
            body["start_us"] = int(start * 1_000_000)
        if priority is not None:
            body["priority"] = priority
        if reason is not None:
            body["reason"] = reason
        request = Request(self, self._server.ask("POST", "/requests", body))
        if start is None:
            self._heart.add(request.id, request)
        return request

    def reserve(
        self,
        spec: str = "",
        *,
        timeout: Optional[float] = None,
        progress: Optional[Callable[["Request"], None]] = None,
        **asked: Any,
    ) -> "Lease":
        """Boards like this, as soon as it is one's turn: to be used with ``with``.

        It takes what :meth:`submit` takes. ``progress`` is called whenever the place in the queue has
        changed. After ``timeout`` seconds the request is called back, and :class:`TimeoutError` raised.
        """
        request = self.submit(spec, **asked)
        try:
            return request.wait(timeout, progress)
        except BaseException:
            request._give_up()
            raise

    def result(
        self,
        name: str,
        result: str = "pass",
        *,
        measurement: Optional[float] = None,
        units: Optional[str] = None,
        **extra: str,
    ) -> None:
        """Tells a result of the CI job that this script is (``lava ci``): ``pass``, ``fail``, ``skip`` or ``unknown``,
        with what was measured. A script that nobody runs as such says it on its standard output."""
        if result not in ("pass", "fail", "skip", "unknown"):
            raise WrongUse(f"{result!r} is none of pass, fail, skip and unknown")
        told: Dict[str, Any] = {"case": name, "result": result}
        if measurement is not None:
            told["measurement"] = float(measurement)
        if units is not None:
            told["units"] = units
        if extra:
            told["extra"] = {key: str(value) for key, value in extra.items()}
        line = json.dumps(told)
        path = os.environ.get("LAVA_RESULTS")
        if not path:
            print(line)
            return
        # One write: threads and processes may tell at once.
        with open(path, "ab", buffering=0) as file:
            file.write(line.encode() + b"\n")

    def submit_job(self, job: Union[str, Path]) -> Job:
        """Hands in a LAVA job, a text or the ``Path`` of a file, and does not wait for it."""
        body = {**definition(job), "user": self.user}
        return Job(self, self._server.ask("POST", "/jobs", body))

    def job(self, id: int) -> Job:
        """A job by its number."""
        return Job(self, self._server.ask("GET", f"/jobs/{id}?user={quote(self.user)}"))

    def jobs(self, limit: int = 50) -> List[Job]:
        """The newest jobs that one may see."""
        found = self._server.ask("GET", f"/jobs?limit={limit}&user={quote(self.user)}")
        return [Job(self, info) for info in found]

    def run_ci(self, name: str, *args: str) -> Job:
        """Has a CI job (``lava ci``) run, as oneself, and does not wait for it; ``args`` is what its script is given."""
        body = {"args": list(args), "user": self.user}
        return Job(self, self._server.ask("POST", f"/ci/{quote(name)}/run", body))

    def ci_jobs(self) -> List[Dict[str, Any]]:
        """The CI jobs that there are: ``name``, ``git``, ``script`` and whatever else is said of each."""
        found: List[Dict[str, Any]] = self._server.ask("GET", "/ci")
        return found

    def board(self, name: str) -> Board:
        """A board by its name, whoever has it."""
        return self._board(name, None)

    def _board(self, name: str, check: Optional[Callable[[], None]]) -> Board:
        info = self._server.ask("GET", f"/boards/{quote(name)}")
        return Board(info, self._token, self._ca, self.user, check, self._server)


class Request:
    """Boards that one has asked for."""

    def __init__(self, lab: Lab, info: Dict[str, Any]) -> None:
        self._lab = lab
        self.info = info
        self._lost = threading.Event()
        self._cancelled = threading.Event()

    @property
    def id(self) -> int:
        return int(self.info["id"])

    @property
    def state(self) -> str:
        """``waiting``, ``booked``, ``leased`` or ``ended``, as it was heard last."""
        return str(self.info["state"])

    @property
    def position(self) -> Optional[int]:
        """Its place in the queue; 1 comes next."""
        return (self.info.get("waiting") or {}).get("position")

    @property
    def estimate(self) -> Optional[float]:
        """When it may be its turn, as a Unix time."""
        at = (self.info.get("waiting") or {}).get("estimate_us")
        return None if at is None else at / 1_000_000

    @property
    def why(self) -> str:
        """What it waits for."""
        return str((self.info.get("waiting") or {}).get("why", ""))

    def look(self) -> "Request":
        """Asks where it stands."""
        self.info = self._server.ask("GET", f"/requests/{self.id}?user={quote(self._lab.user)}")
        return self

    def wait(
        self,
        timeout: Optional[float] = None,
        progress: Optional[Callable[["Request"], None]] = None,
    ) -> "Lease":
        """Waits for the boards. A server that is gone for a while is waited for."""
        end = None if timeout is None else time.monotonic() + timeout
        path = f"/requests/{self.id}/follow?user={quote(self._lab.user)}"
        leased: Optional[float] = None

        def silence() -> float:
            return SILENCE if end is None else max(0.1, min(SILENCE, end - time.monotonic()))

        while True:
            try:
                for info in self._server.events(path, silence):
                    if info is not None:
                        self.info = info
                        lease = self._came_to()
                        if lease is not None:
                            return lease
                        if progress is not None and self.state != "leased":
                            progress(self)
                    if self.state == "leased":
                        leased = leased or time.monotonic()
                        if time.monotonic() >= leased + READY:
                            why = self.info.get("unready") or "an outlet does not know whose its board is"
                            raise Refused(f"request {self.id} has boards that cannot be used: {why}")
                    self._check(end)
            except LabError as error:
                if not error.may_pass:
                    raise
            self._check(end)
            time.sleep(0.5)

    def release(self, timeout: float = TIMEOUT) -> None:
        """Gives the boards back, or stops waiting. What has ended already is over."""
        self._lab._heart.stop(self.id)
        path = f"/requests/{self.id}?user={quote(self._lab.user)}"
        try:
            self.info = self._server.ask("DELETE", path, timeout=timeout)
        except LabError as error:
            # It has ended by itself, or is somebody else's by now.
            if error.status != 404:
                raise

    def _came_to(self) -> "Optional[Lease]":
        if self.state == "leased" and self.info.get("ready"):
            return Lease(self._lab, self)
        if self.state == "ended":
            raise Refused(f"request {self.id} was {self.info.get('ending')}")
        if (self.info.get("waiting") or {}).get("never"):
            raise WrongUse(f"request {self.id} waits for ever: {self.why}")
        return None

    def _check(self, end: Optional[float]) -> None:
        if self._cancelled.is_set():
            raise Refused(f"request {self.id} was given up")
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(f"request {self.id} still waits: {self.why}")

    def _give_up(self) -> None:
        """Gives back what can be, without hiding why."""
        try:
            self.release(LEAVING)
        except LabError:
            pass

    def _has_stopped(self) -> None:
        self._lost.set()

    @property
    def _server(self) -> Endpoint:
        return self._lab._server


class Lease:
    """Boards that one has, until the ``with`` ends. It is heard of as long as this process lives."""

    def __init__(self, lab: Lab, request: Request) -> None:
        self._lab = lab
        self.request = request
        self.boards: List[Board] = [lab._board(name, self.check) for name in request.info["boards"]]

    @property
    def id(self) -> int:
        return self.request.id

    @property
    def board(self) -> Board:
        """The one, or the first."""
        return self.boards[0]

    @property
    def until(self) -> float:
        """When it ends by itself, as a Unix time."""
        return float(self.request.info["until_us"]) / 1_000_000

    @property
    def lost(self) -> bool:
        """Whether the boards are not one's own any more, as the server has said; it is asked every 20 s."""
        return self.request._lost.is_set()

    def check(self) -> None:
        """Raises :class:`Lost` when the boards are not one's own any more; boards and consoles do it, too."""
        if self.lost:
            raise Lost(f"request {self.id} is over, or somebody else's; its boards are not yours any more")

    def extend(self, *, hours: float = 0, minutes: float = 0) -> None:
        """Has it end so much time from now."""
        self._change("extend", {"for": f"{_seconds(hours, minutes)}s"})

    def share(self, user: str) -> None:
        """Lets somebody else use the boards, too."""
        self._change("share", {"to": user})

    def unshare(self, user: str) -> None:
        """Ends that somebody else uses the boards, too."""
        self._change("unshare", {"to": user})

    def hand_over(self, user: str) -> None:
        """Gives the boards to somebody else, with what is left of their time: from now on they are not one's own, and
        are not given back when the ``with`` or this process ends."""
        self._change("give", {"to": user})
        self._lab._heart.stop(self.id)
        self.request._has_stopped()

    def release(self) -> None:
        """Gives the boards back; those that are lost are not one's own to give."""
        if not self.lost:
            self.request.release()

    def __enter__(self) -> "Union[Board, List[Board]]":
        return self.board if len(self.boards) == 1 else self.boards

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if error is None:
            self.release()
        elif not self.lost:
            self.request._give_up()

    def _change(self, how: str, body: Dict[str, Any]) -> None:
        body["user"] = self._lab.user
        self.request.info = self._lab._server.ask("POST", f"/leases/{self.id}/{how}", body)


def _seconds(hours: Optional[float], minutes: Optional[float]) -> int:
    """So much time, in whole seconds; raises :class:`WrongUse` when it is none."""
    seconds = (hours or 0) * 3600 + (minutes or 0) * 60
    if not 1 <= seconds < float("inf"):
        raise WrongUse(f"hours={hours}, minutes={minutes} is no time to have a board for")
    return int(seconds)


def _token() -> Optional[str]:
    if os.environ.get("LAVA_TOKEN"):
        return os.environ["LAVA_TOKEN"].strip()
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    file = Path(os.environ.get("LAVA_TOKEN_FILE") or Path(config) / "lava" / "token")
    return file.read_text().strip() if file.is_file() else None

"""A console outlives its daemon, and no flood outlives a time-out."""

import os
import random
import signal
import socket
import subprocess
import threading
import time

from lavamux import NotSeen, Unreachable
from lavamux._http import Endpoint, Way
from lavamux.console import Console


def port():
    # None of those that connections have: who asks there while nobody listens could meet themselves.
    while True:
        number = random.randrange(20000, 32000)
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", number)) != 0:
                return number


class Serial:
    def __init__(self, program):
        self.address = f"127.0.0.1:{port()}"
        self.args = ["--name", "c", "--port", program, "--http", self.address, "--capture", f"captures-{program[5:8]}"]
        self.start()

    def start(self):
        self.process = subprocess.Popen(os.environ["LAVA_SERIAL"].split("\n") + self.args, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert "ready" in line, line

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()

    def attach(self, since="head"):
        way = Way(Endpoint("http://" + self.address), "/consoles/c", None, "")
        return Console(way, "alice", since, False)


def later(serial):
    while True:
        try:
            return serial.attach().sendline("after")
        except Unreachable:
            time.sleep(0.1)


flood = Serial("exec:yes")
try:
    with flood.attach() as console:
        try:
            console.expect("never", timeout=0.5)
        except NotSeen:
            print("the flood was left in time")
        assert "y" in console.read(0.2)
        print("and once more")
finally:
    flood.stop()

echo = Serial("exec:cat")
try:
    with echo.attach() as console:
        console.sendline("before")
        console.expect("before")
        echo.stop()
        # By this thread: what it starts ends with the thread that has started it.
        echo.start()
        # What was echoed before was taken; now somebody else types.
        threading.Thread(target=later, args=(echo,), daemon=True).start()
        assert "before\r\nbefore" not in console.expect("after", timeout=60).before
        print("went on")
finally:
    echo.stop()

#!/usr/bin/env python3
"""A console connector in the style of tbot: logs in, runs a command, resets, and does it again.

    tbot_style.py BOARD

tbot itself is not on PyPI. As its ConsoleConnector this opens a channel by starting a command on a
pty of its own, and as its machines it finds prompts in what was read, sends a command and
reads its echo, and takes what comes until the next prompt as the output; then the same for "echo $?".
"""

import os
import pty
import select
import subprocess
import sys
import time

PROMPT = b"board# "


class Channel:
    """A program on a pty: bytes in, bytes out, and waiting for what comes."""

    def __init__(self, *command):
        self.rest = b""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execvp(command[0], command)
        self.pid = pid

    def read_until(self, text, timeout=60):
        """What comes before a text, which is read, too."""
        deadline = time.monotonic() + timeout
        while text not in self.rest:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"no {text!r} in {self.rest!r}")
            self.rest += os.read(self.fd, 1024)
        read, self.rest = self.rest.split(text, 1)
        return read

    def sendline(self, line):
        os.write(self.fd, line.encode() + b"\r")
        self.read_until(line.encode() + b"\r\n")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Board:
    """ConsoleConnector, PowerControl and a shell."""

    def __init__(self, name):
        self.name = name

    def connect(self):
        self.channel = Channel("lava-console", self.name)
        self.channel.read_until(b"Connected to " + self.name.encode())

    def login(self):
        os.write(self.channel.fd, b"\r")
        self.channel.read_until(b"login: ")
        self.channel.sendline("root")
        self.channel.read_until(PROMPT)

    def exec(self, command):
        self.channel.sendline(command)
        output = self.channel.read_until(PROMPT).replace(b"\r\n", b"\n")
        self.channel.sendline("echo $?")
        return int(self.channel.read_until(PROMPT)), output.decode()

    def power_cycle(self):
        subprocess.run(
            ["lava", "power", "cycle", self.name, "--force", "--reason", "test"], check=True
        )
        self.channel.read_until(b"U-Boot 20")


board = Board(sys.argv[1])
board.connect()
board.login()
assert board.exec("echo before the reset; false") == (1, "before the reset\n")
board.power_cycle()
board.login()
status, output = board.exec("echo $((6*7)) on the board")
assert status == 0, status
print(output, end="")
board.channel.close()

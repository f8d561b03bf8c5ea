#!/usr/bin/env python3
"""A real board on a serial line: QEMU's U-Boot and Linux behind a pty that outlives its power.

    board.py DIR [QEMU-OPTION...]

DIR/tty      the serial adapter: a link to a pty, there from the start until the end
DIR/control  a Unix socket; one line each: "on", "off" or "status", answered by "on" or "off"
DIR/tftp     what the board's network serves by TFTP; it reaches nothing else

Prints "ready: …" when the tty is there. The power is off at first. On SIGTERM, and when its parent
is gone, it takes the board down with it. While the power is off what is typed goes nowhere, as
on a real line; what the board prints waits in QEMU when nobody reads the tty, so that no byte
is lost that a test could miss.
"""

import os
import pty
import selectors
import signal
import socket
import subprocess
import sys
import tty

CHUNK = 4096


class Board:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.qemu = None
        self.line = None  # our end of QEMU's serial port while the power is on
        self.printed = b""  # from the board, not yet taken by the tty
        self.typed = b""  # from the tty, not yet taken by the board
        os.makedirs(f"{folder}/tftp", exist_ok=True)

        # We keep the far end open as well: the line stays raw, and stays, when nobody reads it.
        self.near, self.far = pty.openpty()
        tty.setraw(self.far)
        os.set_blocking(self.near, False)
        os.symlink(os.ttyname(self.far), f"{folder}/tty")

        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.control.bind(f"{folder}/control")
        self.control.listen()

    def run(self):
        while True:
            with selectors.DefaultSelector() as wanted:
                events = selectors.EVENT_READ if not self.typed else 0
                events |= selectors.EVENT_WRITE if self.printed else 0
                if events:
                    wanted.register(self.near, events)
                wanted.register(self.control, selectors.EVENT_READ)
                if self.line:
                    events = selectors.EVENT_READ if not self.printed else 0
                    events |= selectors.EVENT_WRITE if self.typed else 0
                    if events:
                        wanted.register(self.line, events)
                for key, events in wanted.select():
                    self.serve(key.fileobj, events)

    def serve(self, which, events):
        if which is self.control:
            self.obey()
        elif which == self.near:
            if events & selectors.EVENT_READ:
                self.typed = os.read(self.near, CHUNK)
            if events & selectors.EVENT_WRITE:
                self.printed = self.printed[os.write(self.near, self.printed):]
        elif which is self.line:
            try:
                if events & selectors.EVENT_READ:
                    self.printed = self.line.recv(CHUNK)
                    if not self.printed:
                        return self.off()
                if events & selectors.EVENT_WRITE:
                    self.typed = self.typed[self.line.send(self.typed):]
            except OSError:
                self.off()
        if not self.line:
            self.typed = b""

    def obey(self):
        peer, _ = self.control.accept()
        with peer:
            peer.settimeout(5)
            try:
                word = peer.makefile().readline().strip()
                if word == "on":
                    self.on()
                elif word == "off":
                    self.off()
                elif word != "status":
                    peer.sendall(f"error: {word!r} is none of on, off, status\n".encode())
                    return
                peer.sendall(b"on\n" if self.line else b"off\n")
            except OSError as error:
                print(f"control: {error}", file=sys.stderr, flush=True)

    def on(self):
        if self.line:
            return
        ours, theirs = socket.socketpair()
        self.qemu = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "qemu-system-aarch64"]
            + ["-machine", "virt", "-cpu", "cortex-a53", "-m", "512", "-accel", "tcg,tb-size=64"]
            + ["-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"]
            + ["-netdev", f"user,id=n0,tftp={self.folder}/tftp,restrict=on"]
            + ["-device", "virtio-net-pci,netdev=n0,romfile="]
            + ["-display", "none", "-monitor", "none", "-nodefaults"]
            + ["-chardev", f"socket,id=line,fd={theirs.fileno()}", "-serial", "chardev:line"]
            + self.options,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        ours.setblocking(False)
        self.line = ours

    def off(self):
        if not self.line:
            return
        self.qemu.kill()
        self.qemu.wait()
        self.line.close()
        self.line = self.qemu = None
        self.typed = b""


def main():
    board = Board(os.path.abspath(sys.argv[1]), sys.argv[2:])

    def end(*_):
        board.off()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print(f"ready: tty {board.folder}/tty", flush=True)
    board.run()


main()

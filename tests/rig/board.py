#!/usr/bin/env python3
"""A real board on a serial line: a QEMU with a boot loader behind a pty that outlives its power.

    board.py DIR [KIND [QEMU-OPTION...]]

DIR/tty      the serial adapter: a link to a pty, there from the start until the end
DIR/control  a Unix socket; one line each: "on", "off" or "status", answered by "on" or "off"
DIR/tftp     what the board's network serves by TFTP; it reaches nothing else
DIR/flash    what a board without a boot loader begins with when its power comes: kernel, ramdisk, cmdline, rootfs
DIR/drives   the disks of a board that has some: sata, usb

KIND is one of BOARDS below, arm64 without it.

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
# How QEMU is told of what is in a board's flash.
FLASH = {
    "kernel": "-kernel {}",
    "ramdisk": "-initrd {}",
    "rootfs": "-drive file={},format=raw,if=virtio",
    "cmdline": "-append",
}
# A drive, and what it is behind.
DRIVES = {
    "sata": ["ahci,id=ahci", "ide-hd,drive=sata,bus=ahci.0"],
    "usb": ["usb-ehci", "usb-storage,drive=usb,removable=on"],
}
# What GRUB's drive has on it.
EFI = os.path.join(os.path.dirname(__file__), "../../target/rig/boot/amd64/efi")

# By kind: the program, and what makes it that board. The network is QEMU's own, where 10.0.2.2 serves
# DIR/tftp, and leads nowhere else. Only a board with iPXE, or with drives, has this host at that address, too: it
# gets its root file system and its tests from there, or what is written to its drives.
BOARDS = {
    # U-Boot, which is interrupted at its countdown.
    "arm64": ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a53"]
    + ["-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"],
    "armhf": ["qemu-system-arm", "-machine", "virt,highmem=off", "-cpu", "cortex-a15"]
    + ["-bios", "/usr/lib/u-boot/qemu_arm/u-boot.bin"],
    # The iPXE of the network card's own ROM, on a BIOS whose screen is the serial line.
    "ipxe": ["qemu-system-x86_64", "-machine", "q35,graphics=off", "-cpu", "qemu64"],
    # GRUB, which OVMF (UEFI) starts from a drive, after its countdown.
    "grub": ["qemu-system-x86_64", "-machine", "q35", "-cpu", "qemu64"]
    + ["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd"],
    # No boot loader at all: what is in the flash begins.
    "direct-arm64": ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a53"],
    "direct-amd64": ["qemu-system-x86_64", "-machine", "q35", "-cpu", "qemu64"],
    # The shell that is part of OVMF, which gets to see the flash as a drive.
    "shell": ["qemu-system-x86_64", "-machine", "q35", "-cpu", "qemu64"]
    + ["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd"],
    # A microcontroller, which has its own memory and no network.
    "mps2": ["qemu-system-arm", "-machine", "mps2-an385"],
}
# armhf with a SATA disk and a USB stick, which are empty at first.
BOARDS["drives"] = BOARDS["armhf"]
# GRUB, where OVMF waits for somebody who wants its own menus, for longer than anybody takes to say so.
BOARDS["menu"] = BOARDS["grub"] + ["-boot", "menu=on,splash-time=60000"]


class Board:
    def __init__(self, folder, kind="arm64", *options):
        self.folder = folder
        restrict = "off" if kind in ("ipxe", "drives") else "on"
        rom = "bootindex=0" if kind == "ipxe" else "romfile="
        self.command = BOARDS[kind] + ["-accel", "tcg,tb-size=64"]
        if kind != "mps2":
            self.command += ["-m", "512"]
        # Where it could, OVMF would boot from the network.
        if kind not in ("mps2", "shell"):
            self.command += ["-netdev", f"user,id=n0,tftp={folder}/tftp,restrict={restrict}"]
            self.command += ["-device", f"virtio-net-pci,netdev=n0,{rom}"]
        if kind in ("grub", "menu"):
            self.command += ["-drive", f"file=fat:{EFI},format=raw,if=virtio,readonly=on"]
        if kind == "shell":
            self.command += ["-drive", f"file=fat:{folder}/flash,format=raw,if=virtio,readonly=on"]
        if kind == "drives":
            for drive, device in DRIVES.items():
                os.makedirs(f"{folder}/drives", exist_ok=True)
                file = f"{folder}/drives/{drive}"
                with open(file, "wb") as empty:
                    empty.truncate(32 << 20)
                self.command += ["-drive", f"file={file},format=raw,if=none,id={drive}"]
                self.command += [word for words in device for word in ("-device", words)]
        self.command += options
        self.qemu = None
        self.line = None  # our end of QEMU's serial port while the power is on
        self.printed = b""  # from the board, not yet taken by the tty
        self.typed = b""  # from the tty, not yet taken by the board
        for place in ("tftp", "flash"):
            os.makedirs(f"{folder}/{place}", exist_ok=True)

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
            ["setpriv", "--pdeathsig", "KILL", "--"]
            + self.command
            + self.flashed()
            + ["-display", "none", "-monitor", "none", "-nodefaults"]
            + ["-chardev", f"socket,id=line,fd={theirs.fileno()}", "-serial", "chardev:line"],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        ours.setblocking(False)
        self.line = ours

    def flashed(self):
        """The words that have QEMU begin with what is there."""
        words = []
        for name, option in FLASH.items():
            file = f"{self.folder}/flash/{name}"
            if not os.path.exists(file):
                continue
            if name == "cmdline":
                with open(file) as cmdline:
                    words += [option, cmdline.read().strip()]
            else:
                words += option.format(file).split(" ", 1)
        return words

    def off(self):
        if not self.line:
            return
        self.qemu.kill()
        self.qemu.wait()
        self.line.close()
        self.line = self.qemu = None
        self.typed = b""


def main():
    board = Board(os.path.abspath(sys.argv[1]), *sys.argv[2:])

    def end(*_):
        board.off()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print(f"ready: tty {board.folder}/tty", flush=True)
    board.run()


main()

#!/usr/bin/env python3
"""PDUs that one talks to, for tests.

    talking_pdu.py KIND DIR tcp      listens on 127.0.0.1, and prints "ready: PORT"
    talking_pdu.py KIND DIR tty      is on a pty, and prints "ready: PATH"
    talking_pdu.py KIND DIR stdio    is one session on its standard streams, as behind a telnetd

KIND is one of the classes below in lower case. DIR/state holds the outlets, one letter each, 1 or 0;
DIR/log gets one line "OUTLET 1|0" for each that is switched, and "login" and "logout". DIR/fault, if
it is there, holds words:

    silent     says nothing                     deny      refuses the login
    hangup     switches, and hangs up           lost      hangs up without switching
    late       takes 1.5 s for the answer       mute      switches, and does not answer
    garbage    answers nonsense instead         stuck     says that it has switched, and has not
    renumber   has its menus in another order   stray     speaks of another outlet
    reboot     after an off it is gone for a while
    denied     says that this may not be done   babble    says something else without end
"""

import json
import os
import pty
import select
import socket
import struct
import sys
import time
import tty

OUTLETS = 24
DARK = 1.0  # seconds that a reboot takes


class Gone(Exception):
    pass


class Rebooted(Exception):
    pass


class Line:
    """A stream of bytes to whoever talks to us."""

    def __init__(self, read_fd, write_fd):
        self.read_fd, self.write_fd = read_fd, write_fd
        self.buffer = b""
        self.telnet = False

    def more(self):
        try:
            data = os.read(self.read_fd, 4096)
        except OSError:
            raise Gone
        if not data:
            raise Gone
        self.buffer += self.without_telnet(data) if self.telnet else data

    @staticmethod
    def without_telnet(data):
        """Options of three bytes are all that comes; CR NUL is a CR."""
        out, at = b"", 0
        while at < len(data):
            if data[at] == 255 and data[at + 1 : at + 2] != b"\xff":
                at += 3
                continue
            out += data[at : at + 1]
            at += 1
        return out.replace(b"\r\0", b"\r")

    def read(self, count):
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def key_or_line(self):
        """An ESC, or a line without its end."""
        while True:
            if self.buffer[:1] == b"\x1b":
                return self.read(1).decode()
            for end in (b"\r\n", b"\r", b"\n"):
                if end in self.buffer:
                    line, self.buffer = self.buffer.split(end, 1)
                    return line.decode("latin-1")
            self.more()

    def write(self, data):
        data = data if isinstance(data, bytes) else data.replace("\n", "\r\n").encode("latin-1")
        while data:
            try:
                data = data[os.write(self.write_fd, data) :]
            except OSError:
                raise Gone


class Pdu:
    def __init__(self, folder, line):
        self.folder, self.line = folder, line

    def has(self, fault):
        try:
            with open(f"{self.folder}/fault") as file:
                return fault in file.read().split()
        except FileNotFoundError:
            return False

    def log(self, text):
        with open(f"{self.folder}/log", "a") as file:
            file.write(text + "\n")

    def states(self):
        try:
            with open(f"{self.folder}/state") as file:
                return [letter == "1" for letter in file.read().strip()]
        except FileNotFoundError:
            return [False] * OUTLETS

    def switch(self, number, on):
        """Outlets count from 1 here. True when it is to be answered as it should be."""
        if self.has("silent"):
            self.hang()
        if self.has("lost"):
            raise Gone
        if self.has("garbage"):
            self.line.write(b"\xff\xfe?!\r\n\x00\x1b[2Jwhat\r\n")
            return False
        if self.has("babble"):
            while True:
                self.line.write("please stand by\n")
        if not self.has("stuck"):
            states = self.states()
            states[number - 1] = on
            with open(f"{self.folder}/state.new", "w") as file:
                file.write("".join("1" if state else "0" for state in states))
            os.replace(f"{self.folder}/state.new", f"{self.folder}/state")
            self.log(f"{number} {int(on)}")
        if self.has("hangup"):
            raise Gone
        if self.has("mute"):
            self.hang()
        if self.has("reboot") and not on:
            os.unlink(f"{self.folder}/fault")
            raise Rebooted
        if self.has("late"):
            time.sleep(1.5)
        return True

    def hang(self):
        while True:
            self.line.more()


class Apc(Pdu):
    """The menus of a switched rack PDU with 24 outlets, on two pages, as powerman and fence agents
    expect them."""

    def session(self):
        self.line.telnet = True
        self.line.write(b"\xff\xfb\x01\xff\xfb\x03")
        if self.has("silent"):
            self.hang()
        while True:
            self.line.write("\n\rUser Name : ")
            user = self.line.key_or_line()
            self.line.write(user + "\n\rPassword  : ")
            password = self.line.key_or_line()
            self.line.write("*" * len(password) + "\n\n")
            if (user, password) == ("apc", "s3cret") and not self.has("deny"):
                break
        self.log("login")
        self.line.write(
            "American Power Conversion               Network Management Card AOS      v3.7.0\n"
            "(c) Copyright 2008 All Rights Reserved  Rack PDU APP                     v3.7.0\n"
            "Switched Rack PDU: Communication Established\n"
        )
        self.main()

    def page(self, title, body, entries):
        self.line.write(f"\n------- {title} ".ljust(80, "-") + "\n\n")
        self.line.write(body)
        for number, name in entries:
            self.line.write(f"    {number:2}- {name}\n")
        self.line.write("\n     <ESC>- Back, <ENTER>- Refresh, <CTRL-L>- Event Log\n> ")
        answer = self.line.key_or_line()
        if answer != "\x1b":
            self.line.write(answer + "\n")
        return answer

    def main(self):
        shift = 2 if self.has("renumber") else 0
        entries = [(1 + shift, "Device Manager"), (2 + shift, "Network"), (4 + shift, "Logout")]
        while True:
            answer = self.page("Control Console", "", entries)
            if answer == str(1 + shift):
                self.device(shift)
            elif answer == str(4 + shift):
                self.line.write("\nLogging out.\n")
                self.log("logout")
                raise Gone

    def device(self, shift):
        entries = [(1 + shift, "Load Management"), (2 + shift, "Outlet Management"), (3 + shift, "Power Supply Status")]
        while (answer := self.page("Device Manager", "", entries)) != "\x1b":
            if answer == str(2 + shift):
                self.management(shift)

    def management(self, shift):
        entries = [(1 + shift, "Outlet Control/Configuration"), (2 + shift, "Outlet Restriction")]
        while (answer := self.page("Outlet Management", "", entries)) != "\x1b":
            if answer == str(1 + shift):
                self.outlets(shift)

    def outlets(self, shift):
        while True:
            states = self.states()
            rows = [
                f"    {n + 1:2}- {self.name(n + 1):24} {'ON' if on else 'OFF'}\n"
                for n, on in enumerate(states)
            ]
            self.line.write("\n------- Outlet Control/Configuration ".ljust(80, "-") + "\n\n")
            self.line.write("".join(rows[:16]) + "\n        Press <ENTER> to continue...")
            self.line.key_or_line()
            self.line.write("\n" + "".join(rows[16:]))
            answer = self.page("", "", [(25, "Master Control/Configuration")])
            if answer == "\x1b":
                return
            if answer.isdigit() and 1 <= int(answer) <= OUTLETS:
                self.outlet(int(answer), shift)

    @staticmethod
    def name(number):
        return "The lamp is ON" if number == 5 else f"Outlet {number}"

    def about(self, number):
        number = number + 1 if self.has("stray") else number
        state = "ON" if self.states()[number - 1] else "OFF"
        name = self.name(number)
        return f"        Name         : {name}\n        Outlet       : {number}\n        State        : {state}\n\n"

    def outlet(self, number, shift):
        entries = [(1 + shift, "Control Outlet"), (2 + shift, "Configure Outlet")]
        while (answer := self.page(self.name(number), self.about(number), entries)) != "\x1b":
            if answer == str(1 + shift):
                self.control(number, shift)

    def control(self, number, shift):
        words = [f"{when} {what}" for when in ("Immediate", "Delayed") for what in ("On", "Off", "Reboot")]
        words.append("Cancel")
        entries = [(at + 1 + shift, word) for at, word in enumerate(words)]
        while (answer := self.page("Control Outlet", self.about(number), entries)) != "\x1b":
            if answer == str(7 + shift):
                self.line.write("\n        Enter 'YES' to continue or <ENTER> to cancel : ")
                self.line.key_or_line()
                self.line.write("YES\n\n        Press <ENTER> to continue...")
                self.line.key_or_line()
            if answer not in (str(1 + shift), str(2 + shift)):
                continue
            on = answer == str(1 + shift)
            word = "On" if on else "Off"
            self.line.write(
                f"\n        Immediate {word}\n\n        This command will immediately turn\n"
                f"        {word.lower()} outlet {number}, named '{self.name(number)}'.\n\n"
                "        Enter 'YES' to continue or <ENTER> to cancel : "
            )
            if self.line.key_or_line() != "YES":
                continue
            if self.has("denied"):
                self.line.write("YES\n\n        Command failed.\n        Press <ENTER> to continue...")
            elif self.switch(number, on):
                self.line.write("YES\n\n        Command successfully issued.\n        Press <ENTER> to continue...")
            self.line.key_or_line()


class ApcCli(Pdu):
    """The command line of an AP8959."""

    def session(self):
        self.line.telnet = True
        self.line.write(b"\xff\xfb\x01\xff\xfb\x03")
        if self.has("silent"):
            self.hang()
        while True:
            self.line.write("\nUser Name : ")
            user = self.line.key_or_line()
            self.line.write("\nPassword  : ")
            if (user, self.line.key_or_line()) == ("apc", "s3cret") and not self.has("deny"):
                break
        self.log("login")
        while True:
            self.line.write("\napc>")
            words = self.line.key_or_line().split()
            self.line.write(" ".join(words) + "\n")
            if words == ["exit"]:
                self.log("logout")
                raise Gone
            if len(words) != 2 or words[0] not in ("olOn", "olOff", "olStatus"):
                self.line.write("E101: Command Not Found\n")
            elif not words[1].isdigit() or not 1 <= int(words[1]) <= OUTLETS:
                self.line.write("E102: Parameter Error\n")
            elif words[0] == "olStatus":
                state = "On" if self.states()[int(words[1]) - 1] else "Off"
                self.line.write(f"E000: Success\n {words[1]}: Outlet {words[1]}: {state}\n")
            elif self.has("denied"):
                self.line.write("E104: User Level Denial\n")
            elif self.switch(int(words[1]), words[0] == "olOn"):
                self.line.write("E000: Success\n")


class Devantech(Pdu):
    """An ETH008 with the password s3cret."""

    def session(self):
        if self.has("silent"):
            self.hang()
        unlocked = False
        while True:
            command = self.line.read(1)[0]
            if command == 0x79:
                unlocked = self.line.read(6) == b"s3cret" and not self.has("deny")
                self.line.write(b"\x01" if unlocked else b"\x02")
                if unlocked:
                    self.log("login")
            elif command == 0x7B:
                unlocked = False
                self.log("logout")
                self.line.write(b"\x00")
            elif command in (0x20, 0x21):
                relay, _ = self.line.read(2)
                if not unlocked or not 1 <= relay <= 8 or self.has("denied"):
                    self.line.write(b"\x01")
                elif self.switch(relay, command == 0x20):
                    self.line.write(b"\x00")
            elif command == 0x24:
                self.line.write(bits(self.states()[:8]))


class RelayBoard(Pdu):
    """A Devantech USB-RLY08, which says nothing when it switches."""

    def session(self):
        while True:
            command = self.line.read(1)[0]
            if 0x65 <= command <= 0x6C:
                self.switch(command - 0x64, True)
            elif 0x6F <= command <= 0x76:
                self.switch(command - 0x6E, False)
            elif command == 0x5B and not self.has("silent"):
                self.line.write(bits(self.states()[:8]))


class Numato(Pdu):
    """A relay module with 16 relays and an echo."""

    def session(self):
        while True:
            line = self.line.key_or_line()
            self.line.write(line.encode() + b"\n\r")
            words = line.split()
            if len(words) == 3 and words[0] == "relay":
                relay = int(words[2], 16) + 1
                if words[1] == "read":
                    self.line.write(b"on\n\r" if self.states()[relay - 1] else b"off\n\r")
                else:
                    self.switch(relay, words[1] == "on")
            self.line.write(b">")


class Cards(Pdu):
    """A chain of three Conrad cards."""

    def session(self):
        while True:
            frame = self.line.read(4)
            command, card, data, check = frame
            if command ^ card ^ data != check:
                continue
            if command == 1:
                for card in range(1, 4):
                    self.line.write(framed(254, card, 1))
                self.line.write(framed(1, 4, 0))
                continue
            first = (card - 1) * 8
            if command in (6, 7):
                self.switch(first + data.bit_length(), command == 6)
            self.line.write(framed(255 - command, card, bits(self.states()[first : first + 8])[0]))


class Modbus(Pdu):
    """Coils 0 to 23 of unit 7."""

    def session(self):
        while True:
            transaction, protocol, length, unit = struct.unpack(">HHHB", self.line.read(7))
            function, address, value = struct.unpack(">BHH", self.line.read(5))
            if unit != 7 or protocol != 0 or length != 6 or address >= OUTLETS:
                answer = struct.pack(">BB", function | 0x80, 2)
            elif function == 5:
                self.switch(address + 1, value == 0xFF00)
                answer = struct.pack(">BHH", function, address, value)
            else:
                answer = struct.pack(">BBB", function, 1, self.states()[address])
            self.line.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)


class Strip(Pdu):
    """A TP-Link strip with 6 sockets."""

    def session(self):
        while True:
            (length,) = struct.unpack(">I", self.line.read(4))
            key, text = 171, ""
            for byte in self.line.read(length):
                text += chr(key ^ byte)
                key = byte
            request = json.loads(text)
            system = request["system"]
            if "get_sysinfo" in system:
                children = [
                    {"id": f"8006F00D{n:02}", "state": int(on), "alias": f"Plug {n}"}
                    for n, on in enumerate(self.states()[:6])
                ]
                answer = {"system": {"get_sysinfo": {"children": children, "err_code": 0}}}
            else:
                number = int(request["context"]["child_ids"][0][-2:])
                self.switch(number + 1, system["set_relay_state"]["state"] == 1)
                answer = {"system": {"set_relay_state": {"err_code": 0}}}
            key, out = 171, b""
            for byte in json.dumps(answer, separators=(",", ":")).encode():
                key ^= byte
                out += bytes([key])
            self.line.write(struct.pack(">I", len(out)))
            self.line.write(out)


class Netio(Pdu):
    """A NETIO 4 with KSHELL."""

    def session(self):
        self.line.write("100 HELLO EB5D61F6\n")
        known = False
        while True:
            words = self.line.key_or_line().split()
            if words[:1] == ["login"]:
                known = words[1:] == ["admin", "s3cret"] and not self.has("deny")
                self.line.write("250 OK\n" if known else "503 INVALID LOGIN\n")
            elif words == ["quit"]:
                self.line.write("110 BYE\n")
                raise Gone
            elif words[:1] == ["port"] and known and 1 <= int(words[1]) <= 4:
                if len(words) == 2:
                    self.line.write(f"250 {int(self.states()[int(words[1]) - 1])}\n")
                elif self.switch(int(words[1]), words[2] == "1"):
                    self.line.write("250 OK\n")
            else:
                self.line.write("501 INVALID PARAMETR\n")


def bits(states):
    return bytes([sum(on << n for n, on in enumerate(states))])


def framed(command, card, data):
    return bytes([command, card, data, command ^ card ^ data])


def listen(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def serve_tcp(kind, folder):
    server = listen(0)
    port = server.getsockname()[1]
    print(f"ready: {port}", flush=True)
    while True:
        peer, _ = server.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            kind(folder, Line(peer.fileno(), peer.fileno())).session()
        except Gone:
            peer.close()
        except Rebooted:
            peer.close()
            server.close()
            time.sleep(DARK)
            server = listen(port)


def serve_tty(kind, folder):
    near, far = pty.openpty()
    tty.setraw(far)
    print(f"ready: {os.ttyname(far)}", flush=True)
    while True:
        # The far end stays open, so the line never ends; a device that has gone begins anew.
        try:
            kind(folder, Line(near, near)).session()
        except (Gone, Rebooted):
            while select.select([near], [], [], DARK)[0]:
                os.read(near, 4096)


def main():
    name, folder, where = sys.argv[1:]
    kinds = {kind.__name__.lower(): kind for kind in Pdu.__subclasses__()}
    kind = kinds[name]
    if where == "tcp":
        serve_tcp(kind, folder)
    elif where == "tty":
        serve_tty(kind, folder)
    else:
        try:
            kind(folder, Line(0, 1)).session()
        except (Gone, Rebooted):
            pass


main()

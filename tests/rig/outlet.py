#!/usr/bin/env python3
"""Tells a board of board.py: outlet.py DIR NUMBER on|off. Outlet NUMBER is DIR/NUMBER/control.

The hook of pdu.py; it also serves as the program of an `exec` outlet, with `status`.
"""

import socket
import sys

folder, number, word = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as control:
    control.settimeout(10)
    control.connect(f"{folder}/{number}/control")
    control.sendall(f"{word}\n".encode())
    print(control.makefile().readline().strip())

#!/usr/bin/env python3
"""A power unit for a real snmpd: an APC rack PDU's outlets, over net-snmp's pass_persist.

    pass_persist .1.3.6.1.4.1.318.1.1.12 …/pdu.py [--outlets N] [--hook PROGRAM ARG…]

Setting rPDUOutletControlOutletCommand.N to 1, 2 or 3 switches outlet N on, off, or off and on
again; its state is read there and in rPDUOutletStatusOutletState.N. The hook is called as
`PROGRAM ARG… N on|off` before the set is answered; when it fails the outlet stays as it was, and
the set is refused. Outlets are off at first.
"""

import argparse
import subprocess
import sys
import threading

RPDU = (1, 3, 6, 1, 4, 1, 318, 1, 1, 12)
NUMBER_OF_OUTLETS = RPDU + (1, 8, 0)
CONTROL_NAME = RPDU + (3, 3, 1, 1, 2)
CONTROL_COMMAND = RPDU + (3, 3, 1, 1, 4)
STATUS_NAME = RPDU + (3, 5, 1, 1, 2)
STATUS_STATE = RPDU + (3, 5, 1, 1, 4)
ON, OFF, REBOOT = 1, 2, 3
REBOOT_SECONDS = 2

parser = argparse.ArgumentParser()
parser.add_argument("--outlets", type=int, default=8)
parser.add_argument("--hook", nargs=argparse.REMAINDER, default=[])
options = parser.parse_args()
outlets = range(1, options.outlets + 1)
state = {outlet: OFF for outlet in outlets}


def objects():
    """Everything there is to read, in the order of its object identifiers."""
    table = {NUMBER_OF_OUTLETS: ("integer", options.outlets)}
    for outlet in outlets:
        for name in (CONTROL_NAME, STATUS_NAME):
            table[name + (outlet,)] = ("string", f"Outlet {outlet}")
        for value in (CONTROL_COMMAND, STATUS_STATE):
            table[value + (outlet,)] = ("integer", state[outlet])
    return dict(sorted(table.items()))


def switch(outlet, to):
    if options.hook:
        word = "on" if to == ON else "off"
        subprocess.run(options.hook + [str(outlet), word], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True, timeout=20)
    state[outlet] = to


def set_object(oid, kind, value):
    if oid[:-1] != CONTROL_COMMAND or oid[-1] not in outlets:
        return "not-writable"
    if kind != "integer":
        return "wrong-type"
    if value not in (str(ON), str(OFF), str(REBOOT)):
        return "wrong-value"
    try:
        switch(oid[-1], ON if value == str(ON) else OFF)
    except (OSError, subprocess.SubprocessError):
        return "inconsistent-value"
    if value == str(REBOOT):
        threading.Timer(REBOOT_SECONDS, switch, (oid[-1], ON)).start()
    return "DONE"


def read():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return line.strip()


def read_oid():
    return tuple(int(part) for part in read().strip(".").split("."))


def answer(oid, found):
    if oid is None or found is None:
        print("NONE", flush=True)
    else:
        print("." + ".".join(map(str, oid)), *found, sep="\n", flush=True)


while True:
    request = read()
    if request == "PING":
        print("PONG", flush=True)
    elif request == "get":
        oid = read_oid()
        answer(oid, objects().get(oid))
    elif request == "getnext":
        asked = read_oid()
        table = objects()
        oid = next((oid for oid in table if oid > asked), None)
        answer(oid, table.get(oid))
    elif request == "set":
        oid = read_oid()
        kind, _, value = read().partition(" ")
        print(set_object(oid, kind, value), flush=True)
    # Anything else is the empty line that snmpd sends after each set.

#!/usr/bin/env python3
"""A recording of a real PDU behind a real snmpd, over net-snmp's pass_persist: what was recorded is
read, and outlets switch.

    pass_persist .1.3.6.1.4.1.318.1.1 …/recorded_pdu.py RECORDING [--stuck OUTLET]

A stuck outlet takes every request and stays as it is, as a relay does that is welded together. An
outlet has an entry in each of the unit's tables; switched in one, it changes in all of them, and
what was asked for is added to RECORDING.log as `OUTLET VALUE`.
"""

import sys

POWERNET = (1, 3, 6, 1, 4, 1, 318, 1, 1)
ON, OFF, REBOOT = 1, 2, 3

# The tables with an outlet in each row: whether they can be set, and how they say on and off.
TABLES = {
    POWERNET + (4, 4, 2, 1, 3): (True, {ON: 1, OFF: 2}),  # sPDUOutletCtl
    POWERNET + (12, 3, 3, 1, 1, 4): (True, {ON: 1, OFF: 2}),  # rPDUOutletControlOutletCommand
    POWERNET + (12, 3, 5, 1, 1, 4): (False, {ON: 1, OFF: 2}),  # rPDUOutletStatusOutletState
    POWERNET + (26, 9, 2, 3, 1, 5): (False, {ON: 2, OFF: 1}),  # rPDU2OutletSwitchedStatusState
    POWERNET + (26, 9, 2, 4, 1, 5): (True, {ON: 1, OFF: 2}),  # rPDU2OutletSwitchedControlCommand
}

recording = sys.argv[1]
stuck = set(map(int, sys.argv[3:])) if sys.argv[2:3] == ["--stuck"] else set()


def numbers(text):
    return tuple(int(part) for part in text.strip().strip(".").split("."))


objects = {}
with open(recording) as lines:
    for line in lines:
        oid, kind, value = line.strip().split("|")
        assert kind == "2", line
        objects[numbers(oid)] = int(value)


def set_object(oid, kind, value):
    settable, _ = TABLES.get(oid[:-1], (False, None))
    if not settable or oid not in objects:
        return "not-writable"
    if kind != "integer":
        return "wrong-type"
    if value not in (str(ON), str(OFF), str(REBOOT)):
        return "wrong-value"
    outlet = oid[-1]
    with open(recording + ".log", "a") as log:
        print(outlet, value, file=log)
    if outlet not in stuck:
        for table, (_, words) in TABLES.items():
            objects[table + (outlet,)] = words[OFF if value == str(OFF) else ON]
    return "DONE"


def answer(oid):
    if oid in objects:
        print("." + ".".join(map(str, oid)), "integer", objects[oid], sep="\n", flush=True)
    else:
        print("NONE", flush=True)


for request in sys.stdin:
    match request.strip():
        case "PING":
            print("PONG", flush=True)
        case "get":
            answer(numbers(sys.stdin.readline()))
        case "getnext":
            asked = numbers(sys.stdin.readline())
            answer(min((oid for oid in objects if oid > asked), default=()))
        case "set":
            oid = numbers(sys.stdin.readline())
            kind, _, value = sys.stdin.readline().strip().partition(" ")
            print(set_object(oid, kind, value), flush=True)
        # Anything else is the empty line that snmpd sends after each set.

#!/usr/bin/env python3
"""Simulated plugs behind an MQTT broker, each as its firmware's documentation has it (conf/profiles/mqtt
tells which). Not one of them is the real thing. With nothing but sockets: MQTT 3.1.1, as little as it takes.

mqtt_plug.py SOCKET FOLDER [USER PASSWORD]: the broker's Unix socket. FOLDER/commands gets a line for each
command that a plug was given. FOLDER/fault, if it is there, has one word: what goes wrong.
"""
import json
import os
import re
import socket
import sys
import time

broker = socket.socket(socket.AF_UNIX)
broker.connect(sys.argv[1])
folder = sys.argv[2]
on = {}


def text(value):
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def send(kind, body):
    length = bytearray()
    rest = len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (128 if rest else 0))
        if not rest:
            break
    broker.sendall(bytes([kind]) + bytes(length) + body)


def publish(topic, payload, retain=False):
    send(0x31 if retain else 0x30, text(topic) + payload.encode())


def exactly(count):
    data = b""
    while len(data) < count:
        piece = broker.recv(count - len(data))
        if not piece:
            sys.exit("the broker is gone")
        data += piece
    return data


def receive():
    kind = exactly(1)[0]
    length = shift = 0
    while True:
        digit = exactly(1)[0]
        length |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return kind, exactly(length)


def fault():
    try:
        with open(os.path.join(folder, "fault")) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def switch(name, payload):
    state = {"ON": True, "OFF": False, "on": True, "off": False}[payload]
    with open(os.path.join(folder, "commands"), "a") as log:
        log.write(f"{name} {payload}\n")
    if fault() != "lie":
        on[name] = state


def word(name, small=False):
    said = "ON" if on.get(name, False) else "OFF"
    return said.lower() if small else said


def handle(topic, payload):
    wrong = fault()
    if wrong == "silent":
        return
    if wrong == "late":
        time.sleep(0.5)
    if found := re.fullmatch(r"cmnd/([^/]+)/Power(\d+)", topic):
        plug, relay = found.groups()
        if payload:
            switch(f"{plug}.{relay}", payload)
        # Others tell things there, too.
        publish(f"stat/{plug}/RESULT", '{"Time": "2026-11-21T10:00:00"}')
        said = "garbage" if wrong == "garbage" else json.dumps({f"POWER{relay}": word(f"{plug}.{relay}")})
        publish(f"stat/{plug}/RESULT", said)
    elif found := re.fullmatch(r"shellies/([^/]+)/relay/(\d)/command", topic):
        plug, relay = found.groups()
        switch(f"{plug}.{relay}", payload)
        publish(f"shellies/{plug}/relay/{relay}", word(f"{plug}.{relay}", True), True)
    elif found := re.fullmatch(r"shellies/([^/]+)/command", topic):
        for relay in range(4):
            publish(f"shellies/{found[1]}/relay/{relay}", word(f"{found[1]}.{relay}", True), True)
    elif found := re.fullmatch(r"(shelly[^/]+)/rpc", topic):
        call = json.loads(payload)
        name = f"{found[1]}.{call['params']['id']}"
        result = {}
        if call["method"] == "Switch.Set":
            result["was_on"] = on.get(name, False)
            switch(name, "on" if call["params"]["on"] else "off")
        else:
            result["output"] = on.get(name, False)
        publish(f"{call['src']}/rpc", json.dumps({"id": call["id"], "src": found[1], "result": result}))
    elif found := re.fullmatch(r"zigbee2mqtt/([^/]+)/(set|get)", topic):
        if found[2] == "set":
            switch(found[1], json.loads(payload)["state"])
        publish(f"zigbee2mqtt/{found[1]}", json.dumps({"state": word(found[1]), "linkquality": 96}))
    elif found := re.fullmatch(r"([^/]+)/switch/([^/]+)/command", topic):
        switch(f"{found[1]}.{found[2]}", payload)
        publish(f"{found[1]}/switch/{found[2]}/state", word(f"{found[1]}.{found[2]}"), True)
    elif found := re.fullmatch(r"(ha/[^/]+)/set", topic):
        switch(found[1], payload)
        publish(f"{found[1]}/state", word(found[1]), True)


login = sys.argv[3:]
# What the broker says for one of them, and keeps, when we are gone.
will = text("esp/status") + text("offline")
flags = 0x26 | (0xC0 if login else 0)
connect = text("MQTT") + bytes([4, flags, 0, 0]) + text("plugs") + will + b"".join(map(text, login))
send(0x10, connect)
kind, said = receive()
assert (kind, said[1]) == (0x20, 0), (kind, said)
send(0x82, b"\0\1" + text("#") + b"\0")
# What a broker keeps of an earlier life, and what nobody says any more.
publish("stat/tasmota_1/RESULT", '{"POWER1": "ON"}', True)
for plug in ("esp/switch/relay", "ha/plug"):
    publish(f"{plug}/state", "OFF", True)
publish("esp/status", "online", True)
print("ready", flush=True)
while True:
    kind, body = receive()
    if kind & 0xF0 == 0x30:
        end = 2 + int.from_bytes(body[:2], "big")
        # Without an identifier: we subscribe with quality 0.
        handle(body[2:end].decode(), body[end:].decode())

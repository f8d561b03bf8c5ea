#!/usr/bin/env python3
"""A simulated PDU with the web interfaces of many families at once, each written down from its vendor's
description (conf/profiles/http tells which). Not one of them is the real thing.

web_pdu.py FOLDER: prints its port. FOLDER/requests gets a line for each request: method, path and body.
FOLDER/login, if it is there, has USER:PASSWORD (for basic) or a token (for bearer) that is wanted.
FOLDER/fault, if it is there, has one word: what goes wrong.
"""
import base64
import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

folder = sys.argv[1]
# What is on, by name; everything is off at first.
on = {}
lock = threading.Lock()
SESSION = "c1ed6c7b025d0caca723a816fa61b668"


def word(name):
    try:
        with open(os.path.join(folder, name)) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


class Refused(Exception):
    def __init__(self, status, text=""):
        self.status, self.text = status, text


def set_(outlet, state):
    if word("fault") != "lie":
        on[str(outlet)] = state


def get(outlet):
    return on.get(str(outlet), False)


def number(text, last):
    if not re.fullmatch("[0-9]+", text) or not 1 <= int(text) <= last:
        raise Refused(404, "no such outlet")
    return int(text)


def answer(method, path, query, body):
    """The body of the answer: a text, or what becomes JSON."""
    form = {key: values[0] for key, values in parse_qs(body).items()}
    ask = {key: values[0] for key, values in parse_qs(query, keep_blank_values=True).items()}
    step = [unquote(part) for part in path.split("/")[1:]]

    if path == "/cm":
        command = ask["cmnd"].split()
        if command == ["Status", "8"]:
            return {"StatusSNS": {"ENERGY": {"Voltage": 231, "Current": 0.042, "Power": 4}}}
        outlet = number(command[0].removeprefix("Power"), 8)
        if len(command) == 2:
            set_(outlet, {"On": True, "Off": False}[command[1]])
        return {f"POWER{outlet}": "ON" if get(outlet) else "OFF"}

    if step[0] == "relay" and len(step) == 2:
        if method == "POST":
            set_(step[1], {"on": True, "off": False}[form["turn"]])
        return {"ison": get(step[1]), "has_timer": False}
    if step[0] == "meter":
        return {"power": 12.5, "is_valid": True}

    if path == "/rpc/Switch.Set":
        was = get(ask["id"])
        set_(ask["id"], {"true": True, "false": False}[ask["on"]])
        return {"was_on": was}
    if path == "/rpc/Switch.GetStatus":
        return {"id": int(ask["id"]), "output": get(ask["id"]), "apower": 8.9, "voltage": 237.5, "current": 0.11}

    if path == "/netio.json":
        if method == "POST":
            for output in json.loads(body)["Outputs"]:
                set_(output["ID"], {0: False, 1: True}[output["Action"]])
        outputs = [{"ID": n, "State": int(get(n)), "Current": 52, "Load": 11} for n in range(1, 5)]
        return {"Agent": {"Model": "4All"}, "GlobalMeasure": {"Voltage": 230.1}, "Outputs": outputs}

    if path == "/status.json":
        if ask.get("cmd") == "1":
            set_(number(ask["p"], 12), ask["s"] == "1")
        return {"outputs": [{"name": f"Power Port {n}", "state": int(get(n))} for n in range(1, 13)]}

    if step[0] == "switch":
        if len(step) == 3 and method == "POST":
            set_(step[1], {"turn_on": True, "turn_off": False}[step[2]])
            return ""
        return {"id": f"switch-{step[1]}", "state": "ON" if get(step[1]) else "OFF", "value": get(step[1])}

    if path.startswith("/api/services/homeassistant/"):
        set_(json.loads(body)["entity_id"], {"turn_on": True, "turn_off": False}[step[3]])
        return []
    if path.startswith("/api/states/"):
        return {"entity_id": step[2], "state": "on" if get(step[2]) else "off"}

    if path == "/control_outlet.htm":
        for outlet in range(8):
            if ask.get(f"outlet{outlet}") == "1":
                set_(outlet + 1, {"0": True, "1": False}[ask["op"]])
        return "<html>Apply</html>"
    if path == "/status.xml" and word("family") == "digipower":
        return ",".join(["<pot0>x"] * 10 + [str(int(get(n))) for n in range(1, 9)] + ["0"] * 16)
    if path == "/status.xml":
        stats = (f"<outletStat{n}>{'on' if get(n + 1) else 'off'}</outletStat{n}>\n" for n in range(8))
        return "<response>\n" + "".join(stats) + "</response>"
    if path in ("/ons.cgi", "/offs.cgi"):
        assert len(ask["led"]) == 24, ask
        for outlet, digit in enumerate(ask["led"], 1):
            if digit == "1":
                set_(outlet, path == "/ons.cgi")
        return ""

    if path == "/set.cmd":
        pairs = dict(part.split("=") for part in query.split("+"))
        if (pairs["user"], pairs["pass"]) != ("lava", "p%26ss%20word"):
            return "<html>401 Unauthorized</html>"
        (key,) = (key for key in pairs if key.startswith("p6"))
        if pairs["cmd"] == "setpower":
            set_(key[2:], pairs[key] == "1")
            return f"<!--CGI-DATABEG-->\n<p>\n{key}={int(get(key[2:]))}</p>\n<!--CGI-DATAEND-->"
        return "<p>\n" + ",".join(f"p6{n}={int(get(n))}" for n in range(1, 5)) + "\n</p>"

    if path == "/" and query.startswith("Sw_"):
        verb, rest = query[3:].split("=", 1)
        outlet, login = rest.split(",", 1)
        if unquote(login) != "lavap&ss word":
            return "User or password error."
        set_(number(outlet, 8), verb == "on")
        return "ok"

    if step[0] == "30000":
        code = int(step[1])
        assert len(step[1]) == 2, step
        set_(code // 2 + 1, code % 2 == 1)
        return ""

    if path.startswith("/jaws/control/outlets/") and method == "PATCH":
        set_(step[3], {"on": True, "off": False}[json.loads(body)["control_action"]])
        return None
    if path.startswith("/jaws/monitor/outlets/"):
        return {"id": step[3], "name": "panda01", "state": "On" if get(step[3]) else "Off"}

    if path == "/api/v1/save/":
        ((key, value),) = ask.items()
        set_(key.removeprefix("out"), value == "1")
        return {}
    if path == "/api/v1/read/status/":
        return {f"out{n}": int(get(n)) for n in range(1, 7)}

    if path.startswith("/restapi/relay/outlets/"):
        if method == "PUT":
            set_(step[3], {"true": True, "false": False}[form["value"]])
            return None
        return json.dumps(get(step[3]))

    if path.startswith("/redfish/v1/PowerEquipment/RackPDUs/1/Outlets/"):
        if method == "POST":
            set_(step[6], {"On": True, "Off": False}[json.loads(body)["PowerState"]])
            return None
        return {
            "Id": step[6],
            "PowerState": "On" if get(step[6]) else "Off",
            "Voltage": {"Reading": 229.9},
            "CurrentAmps": {"Reading": 0.5},
            "PowerWatts": {"Reading": 110},
        }

    if path == "/ubus":
        call = json.loads(body)
        session, thing, verb, what = call["params"]
        said = {"jsonrpc": "2.0", "id": call["id"]}
        if thing == "session":
            right = what == {"username": "lava", "password": 'p"ss\\'}
            return {**said, "result": [0, {"ubus_rpc_session": SESSION}] if right else [6]}
        if session != SESSION and not (session == "0" * 32 and word("family") == "ubus-open"):
            return {**said, "error": {"code": -32002, "message": "Access denied"}}
        if verb == "manage":
            set_(what["port"], what["enable"])
            return {**said, "result": [0]}
        ports = {f"lan{n}": {"status": "Delivering power" if get(f"lan{n}") else "Disabled",
                             "consumption": 2.5} for n in range(1, 9)}
        return {**said, "result": [0, {"ports": ports}]}
    raise Refused(404, "no such page")


class Handler(BaseHTTPRequestHandler):
    def handle_any(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with open(os.path.join(folder, "requests"), "a") as log:
            log.write(" ".join(filter(None, [self.command, self.path, body.replace("\n", "")])) + "\n")
        fault = word("fault")
        if fault == "silent":
            time.sleep(1000)
        elif fault == "late":
            time.sleep(0.7)
        elif fault == "hangup":
            self.close_connection = True
            return
        elif fault == "garbage":
            self.wfile.write(b"\x00\xffrelay on\r\n\r\n")
            self.close_connection = True
            return
        elif fault == "page":
            return self.say(200, "<html>Welcome, please log in: p&ss word</html>")
        elif fault == "huge":
            return self.say(200, "x" * 10_000_000)
        elif fault == "redirect":
            return self.say(302, "", {"Location": f"http://127.0.0.1:{server.server_port}/relay/0"})
        elif fault == "broken":
            return self.say(503, "starting")
        elif fault == "refuse":
            return self.say(409, "outlet is locked")
        login = word("login")
        if login:
            wanted = "Basic " + base64.b64encode(login.encode()).decode() if ":" in login else f"Bearer {login}"
            if self.headers.get("Authorization") != wanted:
                return self.say(401, "who are you?", {"WWW-Authenticate": 'Basic realm="pdu"'})
        try:
            with lock:
                said = answer(self.command, url.path, url.query, body)
        except Refused as refused:
            return self.say(refused.status, refused.text)
        except Exception as error:
            return self.say(400, repr(error))
        if said is None:
            return self.say(204, "")
        self.say(200, said if isinstance(said, str) else json.dumps(said))

    def say(self, status, text, headers=()):
        data = text.encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except BrokenPipeError:
            pass

    do_GET = do_POST = do_PUT = do_PATCH = handle_any

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()

"""What a request's heart does with a server that has troubles. The server is a scripted one."""

import http.server
import json
import threading
import time

import lavamux._heart
from lavamux import Lab, Lost

lavamux._heart.BEAT = lavamux._heart.AGAIN = 0.05
# To each heartbeat in turn: what stands in front of a server says the first ones.
answers = [(502, b"<html>"), (200, b"no JSON"), (503, b'{"error":{"message":"busy"}}'), (200, b"{}"), (404, b"{}")]
heard = threading.Event()
request = {"id": 7, "state": "leased", "ready": True, "boards": ["panda01"], "until_us": 0}


class Server(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/heartbeat"):
            heard.set()
            self.answer(*(answers.pop(0) if len(answers) > 1 else answers[0]))
        else:
            self.answer(200, json.dumps({**request, "state": "waiting"}).encode())

    def do_GET(self):
        if "follow" in self.path:
            told = b"data: %s\n\n" % json.dumps(request).encode()
            self.answer(200, told, "text/event-stream")
        else:
            self.answer(200, json.dumps({"name": "panda01", "type": "panda"}).encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
lab = Lab(f"http://127.0.0.1:{server.server_port}", user="alice")
waiting = lab.submit("panda")
assert heard.wait(60), "it beats while nobody waits for it"
lease = waiting.wait(60)
while not lease.lost:
    time.sleep(0.01)
assert len(answers) == 1, answers
try:
    lease.board.power
    raise AssertionError("the board is lost")
except Lost as error:
    print(error)
server.shutdown()
server.server_close()
try:
    with lease:
        raise KeyError("its own")
except KeyError as error:
    print("not masked:", error)

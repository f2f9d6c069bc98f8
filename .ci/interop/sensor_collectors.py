"""Collectors that are not ours, for sensor_outputs.sh: each writes what it got to a file and can be killed at any time.

    sensor_collectors.py syslog-udp|syslog-tcp|syslog-tls|elastic|splunk PORT FILE [CERT KEY]

Syslog messages are taken apart by syslog_rfc5424_parser; one that it does not understand ends the collector with an
error. One line of JSON per record is flushed before the next is read, and before a batch is answered. SLOW=SECONDS in
the environment waits that long after each batch, or each 100 messages; CLIENTS=FILE asks who calls for a certificate
of that authority."""

import json
import os
import socket
import socketserver
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from syslog_rfc5424_parser import SyslogMessage

kind, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
out = open(path, "a", encoding="utf-8")
slow = float(os.environ.get("SLOW", "0"))


def with_tls(listening):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    if "CLIENTS" in os.environ:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(os.environ["CLIENTS"])
    return context.wrap_socket(listening, server_side=True)


def keep(record):
    out.write(json.dumps(record) + "\n")


def message(octets):
    parsed = SyslogMessage.parse(octets.decode("utf-8")).as_dict()
    assert parsed["appname"] == "fieldrange-sensor" and parsed["sd"]["origin"]["software"] == "fieldrange-sensor", parsed
    keep({"seq": int(parsed["sd"]["meta"]["sequenceId"]), "severity": parsed["severity"], "msgid": parsed["msgid"],
          "timestamp": parsed["timestamp"], "record": json.loads(parsed["msg"])})


def frames(stream):
    """RFC 6587, 3.4.1: MSG-LEN SP SYSLOG-MSG."""
    count = 0
    while True:
        digits = b""
        while not digits.endswith(b" "):
            octet = stream.read(1)
            if not octet:
                return
            digits += octet
        wanted = int(digits)
        octets = stream.read(wanted)
        if len(octets) < wanted:
            return
        message(octets)
        out.flush()
        count += 1
        if slow and count % 100 == 0:
            time.sleep(slow)


class Syslog(socketserver.StreamRequestHandler):
    def handle(self):
        frames(self.rfile)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ids = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
        answer = self.elastic(body) if kind == "elastic" else self.splunk(body)
        out.flush()
        time.sleep(slow)
        answer = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def elastic(self, body):
        assert self.path == "/plant-1/_bulk", self.path
        assert self.headers["Content-Type"] == "application/x-ndjson"
        assert body.endswith("\n")
        lines = body.splitlines()
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            action, document = json.loads(action), json.loads(document)
            name = action["create"]["_id"]
            status = 409 if name in self.ids else 201
            self.ids.add(name)
            keep({"seq": int(name.rsplit("-", 1)[1]), "id": name, "status": status, "record": document})
            items.append({"create": {"_id": name, "status": status}})
        return {"took": 1, "errors": False, "items": items}

    def splunk(self, body):
        assert self.path == "/services/collector/event", self.path
        assert self.headers["Authorization"] == "Splunk not-a-real-token"
        decoder, at = json.JSONDecoder(), 0
        while at < len(body.rstrip()):
            event, at = decoder.raw_decode(body, at)
            while at < len(body) and body[at].isspace():
                at += 1
            keep({"seq": event["fields"]["sequence"], "sourcetype": event["sourcetype"], "record": event["event"]})
        return {"text": "Success", "code": 0}

    def log_message(self, *_):
        pass


if kind == "syslog-udp":
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    datagrams.bind(("127.0.0.1", port))
    while True:
        message(datagrams.recv(65536))
        out.flush()
elif kind.startswith("syslog"):
    with Server(("127.0.0.1", port), Syslog) as server:
        if kind == "syslog-tls":
            server.socket = with_tls(server.socket)
        server.serve_forever()
else:
    with ThreadingHTTPServer(("127.0.0.1", port), Collector) as server:
        if len(sys.argv) > 4:
            server.socket = with_tls(server.socket)
        server.serve_forever()

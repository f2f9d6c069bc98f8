"""A console that a check starts, and its seats."""

import json
import re
import socket
import subprocess
import urllib.error
import urllib.request


def told(answer: tuple[int, str]):
    """What a good answer says."""
    assert answer[0] == 200, answer
    return json.loads(answer[1])


class Console:
    def __init__(self, fieldrange: str, data: str, *arguments: str):
        self.program = subprocess.Popen([fieldrange, "--port", "0", "--data", data, *arguments], stdout=subprocess.PIPE, text=True, bufsize=1)
        self.said, self.links = "", {}
        for line in self.program.stdout:
            self.said += line
            if found := re.search(r"console on http://(\S+)", line):
                self.host = found[1]
            if found := re.match(r"(play|facilitate)\s+http://[^/]+(\S+)", line):
                self.links[found[1]] = found[2]
            if line.startswith("Each link"):
                return
        raise SystemExit(f"the console did not come up: {self.said}")

    def ask(self, path: str, session: str | None = None, content=None, headers=None, method=None):
        """Status and text of an answer."""
        body = None if content is None else json.dumps(content).encode() if not isinstance(content, bytes) else content
        request = urllib.request.Request(f"http://{self.host}{path}", data=body, method=method)
        request.add_header("Content-Type", "application/json")
        if session:
            request.add_header("Authorization", f"Bearer {session}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, "" if "event-stream" in answer.headers.get("Content-Type", "") or path.endswith("span.pcap") else answer.read().decode(errors="replace")
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(errors="replace")

    def sit(self, link: str) -> str:
        status, text = self.ask(link, content={}, headers={"Accept": "application/json"})
        assert status == 200, (status, text)
        return json.loads(text)["session"]

    def raw(self, octets: bytes) -> bytes:
        """The beginning of the answer to whatever octets."""
        host, port = self.host.split(":")
        with socket.create_connection((host, int(port)), timeout=15) as connection:
            connection.sendall(octets)
            try:
                return connection.recv(4096)
            except (TimeoutError, ConnectionError):
                return b""

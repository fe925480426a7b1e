"""Recommendations says what to buy and asks the prices what each costs."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

PRICES = os.environ.get("PRICES_URL", "http://prices:8080")
ARTICLES = ["moss", "orchid"]


def recommend():
    """The articles, each with its price."""
    found = []
    for article in ARTICLES:
        with urlopen(f"{PRICES}/prices/{article}", timeout=5) as response:
            found.append(json.load(response))
    return found


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """The two things that can be asked."""
        if self.path == "/healthz":
            self.answer(200, {})
        elif self.path == "/recommendations":
            try:
                self.answer(200, recommend())
            except (OSError, ValueError) as error:
                self.answer(502, {"error": f"prices: {error}"})
        else:
            self.answer(404, {"error": "not found"})

    def answer(self, status, body):
        """Sends a body as JSON."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):
        """Says nothing of single requests."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", 8080), Handler).serve_forever()

"""Recommendations says what to buy and asks the prices what each costs."""

import json
import logging
import os
import signal
import sys
from urllib.request import urlopen

from flask import Flask, jsonify

PRICES = os.environ.get("PRICES_URL", "http://prices:8080")
ARTICLES = ["moss", "orchid"]

app = Flask("recommendations")


@app.get("/healthz")
def healthz():
    """Whether it serves."""
    return jsonify({})


@app.get("/recommendations")
def recommendations():
    """The articles, each with its price."""
    found = []
    try:
        for article in ARTICLES:
            with urlopen(f"{PRICES}/prices/{article}", timeout=5) as response:
                found.append(json.load(response))
    except (OSError, ValueError) as error:
        return jsonify({"error": f"prices: {error}"}), 502
    return jsonify(found)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Nothing of single requests.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    app.run(host="0.0.0.0", port=8080)

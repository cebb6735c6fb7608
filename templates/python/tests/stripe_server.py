"""A server with the shapes of Stripe's answers, for the outcomes that a payment may have.

The payment method says which: pm_card_visa succeeds, pm_card_authenticationRequired needs its owner,
pm_card_chargeDeclined is declined; pm_processing, pm_canceled and pm_broken do what they are called.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_STATUS = {
    "pm_card_visa": "succeeded",
    "pm_card_authenticationRequired": "requires_action",
    "pm_processing": "processing",
    "pm_canceled": "canceled",
}


class StripeServer(ThreadingHTTPServer):
    """Remembers what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.requests: list[tuple[str, dict[str, str]]] = []
        """Paths and forms, of requests that were not repeated."""
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        """By idempotency key."""
        self.secrets: set[str] = set()
        self.found: list[dict[str, Any]] = []
        """What a search finds."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def made(self, path: str) -> list[dict[str, str]]:
        """Return the forms of what was made."""
        return [form for asked, form in self.requests if asked == path]

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.requests.append((path, form))
        if path == "/v1/customers":
            return 200, {"id": f"cus_{len(self.made(path))}", "object": "customer", **form}
        method = form["payment_method"]
        number = len(self.made(path))
        intent: dict[str, Any] = {
            "id": f"pi_{number}", "object": "payment_intent", "amount": int(form["amount"]),
            "currency": form["currency"], "status": _STATUS.get(method, ""), "client_secret": f"pi_{number}_secret_x",
            "latest_charge": None,
        }  # fmt: skip
        if method == "pm_broken":
            return 500, {"error": {"type": "api_error", "message": "hidden detail"}}
        if method == "pm_card_chargeDeclined":
            return 402, {
                "error": {
                    "type": "card_error", "code": "card_declined", "decline_code": "generic_decline",
                    "message": "Your card was declined.", "payment_intent": intent,
                }
            }  # fmt: skip
        if intent["status"] == "succeeded":
            receipt = f"https://pay.stripe.com/receipts/{number}"
            intent["latest_charge"] = {"id": f"ch_{number}", "object": "charge", "receipt_url": receipt}
        return 200, intent


class _Call(BaseHTTPRequestHandler):
    server: StripeServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = self.headers["Idempotency-Key"]
        self.server.secrets.add(self.headers["Authorization"])
        if key not in self.server.answers:
            form = {name: values[0] for name, values in parse_qs(text).items()}
            self.server.answers[key] = self.server.answer(self.path, form)
        self._say(*self.server.answers[key])

    def do_GET(self) -> None:
        wanted = urlsplit(self.path).path.rpartition("/")[2]
        if wanted == "search":
            self._say(200, {"object": "search_result", "data": self.server.found, "has_more": False})
            return
        for status, body in self.server.answers.values():
            if body.get("id") == wanted:
                self._say(status, body)
                return
        self._say(404, {"error": {"type": "invalid_request_error", "message": "No such payment_intent"}})

    def _say(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """Run a server."""
    with StripeServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()

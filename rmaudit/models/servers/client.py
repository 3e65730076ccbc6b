"""Asks a server for JSON: timeouts, a second try where one may help, and errors that say what to do.

What may pass by itself (no connection, a broken one, 429, 502, 503, 504) is tried again after a pause that doubles,
with jitter, and is never shorter than the server's ``Retry-After``. What will not (a wrong key, a web page, an
unknown path) is said at once. Redirects are not followed: they would carry the key to another address.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rmaudit.errors import ScoringError

KEY = "RMAUDIT_API_KEY"
"""Environment variable with the key, where the server wants one."""

MAX_BYTES = 64 * 1024 * 1024
"""Longest answer that is read."""

_PASSING = (429, 502, 503, 504)
"""Statuses that may pass by themselves."""
_FAULT = 500
"""A fault of the server's, perhaps over one text alone: tried once more, then put down to what was asked."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Post = Callable[[str, dict[str, Any]], Any]
"""From a path and a JSON body to the JSON answer."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for; times in seconds."""

    timeout: float = 600.0
    """For one answer, from the first byte sent to the last one read."""
    least: float = 60.0
    """For one answer, once others have come: a server that was stopped may hold a connection and never answer, so an
    answer that takes this long, and `slack` times as long as the slowest one before, is asked for again; each time
    it is waited for twice as long, up to `timeout`."""
    slack: float = 20.0
    tries: int = 12
    """Of one request; with the pauses below they span two minutes, in which a server may be started again."""
    pause: float = 0.5
    """Before the second try; doubled each time."""
    longest: float = 30.0
    """Longest pause of ours."""
    hold: float = 300.0
    """Longest pause that a server may ask for."""


class Rejected(Exception):
    """The server does not take what it was asked; another request may fare better."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"the server answered {status}: {said}" if said else f"the server answered {status}")
        self.status = status


class Stopped(Exception):
    """Another request failed for good, so this one is not wanted any more."""


class _Passing(Exception):
    """May go by itself."""

    def __init__(self, what: str, wait: float | None = None, *, late: bool = False) -> None:
        super().__init__(what)
        self.wait = wait
        self.late = late


class _Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Client:
    """One server at one address. Safe to be used by several threads."""

    def __init__(self, url: str, key: str | None, patience: Patience, start: str) -> None:
        """Take an address.

        Args:
            url: address without a slash at its end.
            key: sent as a bearer token.
            patience: how long it is waited for.
            start: how such a server is started, for messages.
        """
        self.url = url
        self.local = urlsplit(url).hostname in _LOOPBACK
        self._key = key
        self._patience = patience
        self._start = start
        self._reached = False
        """Whether the server ever answered; one that never did is not waited for."""
        self._slowest = patience.timeout
        """Seconds of the slowest answer so far."""
        self._timed = False
        proxies = [urllib.request.ProxyHandler({})] if self.local else []
        self._opener = urllib.request.build_opener(_Unfollowed, *proxies)

    def get(self, path: str) -> Any:
        """JSON at a path; ``None`` where the server has none there.

        Raises:
            ScoringError: when the server is not to be reached, or wants a key.
        """
        try:
            return self._persistent(path, None, threading.Event())
        except Rejected:
            return None

    def post(self, path: str, body: dict[str, Any], stop: threading.Event | None = None) -> Any:
        """JSON answer to a JSON body.

        Args:
            path: below the address.
            body: what is asked.
            stop: set by another thread when the answer is not wanted any more.

        Raises:
            Rejected: when the server does not take it.
            ScoringError: when the server is not to be reached, or does not answer with JSON.
            Stopped: when `stop` was set.
        """
        return self._persistent(path, body, stop or threading.Event())

    def _persistent(self, path: str, body: dict[str, Any] | None, stop: threading.Event) -> Any:
        patience, late, spent, tried = self._patience, 0, 0, 0
        while True:
            if stop.is_set():
                raise Stopped
            tried += 1
            limit = min(patience.timeout, max(patience.least, patience.slack * self._slowest) * 2**late)
            try:
                return self._once(path, body, limit)
            except _Passing as error:
                late += error.late
                spent += error.late and limit == patience.timeout
                if not self._reached and tried >= 3:
                    raise self._unreachable(error) from error
                if tried >= patience.tries or spent >= 2:
                    raise self._given_up(error, tried) from error
                pause = min(patience.longest, patience.pause * 2 ** (tried - 1)) * random.uniform(0.5, 1.0)
                if error.wait is not None:
                    if error.wait > patience.hold:
                        raise ScoringError(
                            f"{self.url} {error}, and asks to be left alone for {error.wait:,.0f} seconds. Try again "
                            "then (a scan goes on with --resume), or lower --concurrency."
                        ) from error
                    pause += error.wait
            except Rejected as error:
                if error.status != _FAULT or tried >= 2:
                    raise
                pause = patience.pause
            stop.wait(pause)

    def _once(self, path: str, body: dict[str, Any] | None, limit: float) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "rmaudit"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.url + path, data, headers, method="GET" if body is None else "POST")
        started = time.monotonic()
        try:
            with self._opener.open(request, timeout=limit) as response:
                self._reached = True
                raw = self._read(response, started + limit)
            if body is not None:
                self._time(time.monotonic() - started)
            return self._parsed(path, raw)
        except urllib.error.HTTPError as error:
            self._reached = True
            with error:
                raise self._refusal(path, error, started + limit) from error
        except urllib.error.URLError as error:
            raise self._broken(error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error

    def _time(self, seconds: float) -> None:
        self._slowest = max(self._slowest, seconds) if self._timed else seconds
        self._timed = True

    def _read(self, response: Any, until: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        # Part by part: the timeout of a socket starts anew with every byte, and a drip of them would last forever.
        while part := response.read1(1 << 16):
            parts.append(part)
            size += len(part)
            if size > MAX_BYTES:
                raise ScoringError(
                    f"{self.url} answers with more than {MAX_BYTES >> 20} MB. Rewards are small: check the address and "
                    "--server."
                )
            if time.monotonic() > until:
                raise self._late()
        whole = b"".join(parts)
        told = response.headers.get("Content-Length")
        if told is not None and told.isdigit() and size < int(told):
            raise _Passing(f"broke off after {size:,} of {int(told):,} bytes")
        return whole

    def _parsed(self, path: str, raw: bytes) -> Any:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            start = raw[:200].lstrip().lower()
            page = start.startswith((b"<!doctype", b"<html"))
            what = "a web page" if page else f"something that is not JSON ({self._clean(raw)!r})"
            raise ScoringError(
                f"{self.url}{path} answers with {what}. Something else than the server may be at this address, such "
                "as a login page or a proxy: check the address, and the server's own port."
            ) from error

    def _refusal(self, path: str, error: urllib.error.HTTPError, until: float) -> Exception:
        status = error.code
        if 300 <= status < 400:
            target = self._clean((error.headers.get("Location") or "elsewhere").encode())
            return ScoringError(
                f"{self.url}{path} redirects to {target}. Redirects are not followed, since the key would go there "
                "too: pass the address that it redirects to."
            )
        if status in (401, 403):
            known = "does not take the key" if self._key else "wants a key"
            return ScoringError(
                f"{self.url} {known} (status {status}). Put the right one into the environment variable {KEY}."
            )
        if status in _PASSING:
            return _Passing(f"answered {status}", _seconds(error.headers.get("Retry-After")))
        try:
            said = self._said(self._read(error, until))
        except (OSError, http.client.HTTPException, _Passing, ScoringError):
            said = ""
        return Rejected(status, said)

    def _said(self, raw: bytes) -> str:
        """What an answer that is an error says, in one line."""
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            return "" if b"<" in raw[:20] else self._clean(raw)
        for name in ("error", "message", "detail", "msg"):
            if isinstance(told, list) and told:
                told = told[0]
            if isinstance(told, dict) and name in told:
                told = told[name]
        return self._clean(str(told).encode())

    def _clean(self, raw: bytes) -> str:
        text = " ".join(raw.decode("utf-8", "replace").split())
        text = "".join(letter for letter in text if letter.isprintable())
        return (text.replace(self._key, "***") if self._key else text)[:200].rstrip(". ")

    def _broken(self, reason: object) -> _Passing:
        if isinstance(reason, TimeoutError):
            return self._late()
        return _Passing(f"could not be reached or broke off ({self._clean(str(reason).encode()) or type(reason)})")

    def _late(self) -> _Passing:
        return _Passing("did not answer in time", late=True)

    def _unreachable(self, error: Exception) -> ScoringError:
        return ScoringError(f"{self.url} {error}. Is the server up, and the address right? Start one by: {self._start}")

    def _given_up(self, error: _Passing, tried: int) -> ScoringError:
        advice = (
            f"It had {self._patience.timeout:g} seconds: give it more with --timeout, or less at once with --batch-size"
            if error.late
            else "Look at the server's own messages, start it again if need be, or lower --concurrency"
        )
        return ScoringError(
            f"{self.url} {error}, and so it did when asked {tried} times. {advice}. What was scored is kept: a scan "
            "goes on with --resume."
        )


def _seconds(told: str | None) -> float | None:
    """``Retry-After`` in seconds: a number, or a date."""
    if told is None:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, TypeError):
        return None

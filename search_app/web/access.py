"""Who asks, and how often they may: API keys, client addresses, token buckets."""

from __future__ import annotations

import hashlib
import hmac
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address

from flask import Request

from search_app.web.errors import TooManyRequests, Unauthorised

__all__ = ["KeyRing", "TokenBuckets", "client_of", "is_local"]

_HASHED = "sha256:"
_IPV6_SITE_BITS = 64
_ROUNDING = 1e-6
"""Of a token: whoever waits exactly as long as told must not be sent away for a rounding error."""


class KeyRing:
    """The API keys that open this site. Only their hashes are kept, and all are compared in constant time."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Keys as they are sent, or 'sha256:' and their hash in hexadecimal digits."""
        self._digests = tuple(
            bytes.fromhex(key.removeprefix(_HASHED)) if key.startswith(_HASHED) else _digest(key) for key in keys
        )

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(self, request: Request) -> str:
        """A name for the holder of the key in `Authorization: Bearer` or `X-API-Key`: the beginning of its hash.

        Raises Unauthorised for no key and for one that is not on the ring.
        """
        given = _sent(request)
        if given is None:
            raise Unauthorised("The API wants a key: send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.")
        digest = _digest(given)
        # No `any`: it would stop at the first match, and the time would tell which key it was.
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise Unauthorised("This key is not known here: ask whoever runs this site for one.")
        return digest.hex()[:16]


class TokenBuckets:
    """A token bucket for each client: `burst` requests at once, and `per_second` more in the long run.

    The buckets that were used longest ago are forgotten beyond `most`, so that memory is bounded whoever calls.
    """

    def __init__(
        self, per_second: float, burst: int, *, most: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = per_second
        self._burst = burst
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Take a token from the client's bucket. Raises TooManyRequests when it is empty; a rate of 0 never does."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.pop(client, (float(self._burst), now))
            tokens = min(self._burst, tokens + (now - since) * self._rate)
            allowed = tokens > 1 - _ROUNDING
            self._buckets[client] = (tokens - allowed, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        if not allowed:
            wait = max(1, math.ceil((1 - tokens) / self._rate))
            raise TooManyRequests(
                f"More than {self._burst} requests at once and {self._rate * 60:g} a minute are not answered: "
                f"ask again in {wait} seconds.",
                wait,
            )


def client_of(address: str | None) -> str:
    """The client behind an address. A household has a whole /64 of IPv6, so that is one client."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return (address or "unknown")[:64]
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> _IPV6_SITE_BITS << _IPV6_SITE_BITS)}/{_IPV6_SITE_BITS}"
    return str(found)


def is_local(request: Request, trusted_proxies: int) -> bool:
    """Whether the request comes from this machine, and not through a proxy on it that nobody told us of."""
    if not trusted_proxies and ("X-Forwarded-For" in request.headers or "Forwarded" in request.headers):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _sent(request: Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("X-API-Key") or None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()

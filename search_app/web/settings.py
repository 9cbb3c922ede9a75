"""The one table of settings of the web face: it feeds `concord serve`, the environment, the checks and the docs.

A setting named `max_k` is the option `--max-k` of `concord serve`, the variable CONCORD_MAX_K, and an argument of
`WebSettings`. Several values in one variable are separated by semicolons.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import UsageError
from search_app.options import NO_RERANKER, reranker_parts

__all__ = ["Setting", "WebSettings", "all_settings", "read_keys"]

PREFIX = "CONCORD_"
SEPARATOR = ";"
SHORTEST_KEY = 16
_ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(?::\d+)?|https?://\[[0-9a-f:]+\](?::\d+)?|\*")
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def _setting(
    default: Any,
    text: str,
    low: float | None = None,
    high: float | None = None,
    *,
    among: str = "",
    secret: bool = False,
) -> Any:
    meta = {"text": text, "low": low, "high": high, "among": tuple(among.split()), "secret": secret}
    return dataclasses.field(default=default, metadata=meta, repr=not secret)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What the operator of a site decides. Raises UsageError for a value outside its limits."""

    name: str = _setting("Concord", "Name over the pages.")
    tagline: str = _setting("Search the archive by words and by meaning", "The line below the name.")
    examples: tuple[str, ...] = _setting(
        ("prisoner exchange without mediation", '"joint statement" COP29', "who observed the election -recount"),
        "Queries that the start page offers.",
    )
    pages: bool = _setting(True, "Serve the pages; without them there is only the API.")
    retry_seconds: float = _setting(2.0, "Wait before trying again to open an index that could not be opened.", 0, 3600)

    max_query_chars: int = _setting(2000, "Longest query, in characters.", 1, 100_000)
    max_k: int = _setting(100, "Most hits on a page, and most related articles.", 1, 100)
    max_page: int = _setting(100, "Deepest page of an answer.", 1, 1000)
    max_filter_values: int = _setting(20, "Most values of one filter.", 0, 1000)
    rerank: tuple[str, ...] = _setting((), "Rerankers that a search may ask for: maxsim, cross-encoder:MODEL.")
    max_request_bytes: int = _setting(32_768, "Largest head and largest body of a request, in bytes.", 1024, 1_048_576)

    max_searches: int = _setting(4, "Questions worked on at a time.", 1, 256)
    max_waiting: int = _setting(16, "Questions that may wait for their turn; more are answered with 503.", 0, 1000)
    query_seconds: float = _setting(10.0, "Time for one question, waiting included; then 503.", 0.01, 600)
    max_connections: int = _setting(1000, "Open connections; more wait in the system's queue.", 10, 10_000)
    drain_seconds: float = _setting(20.0, "Time that running requests get to finish after SIGTERM.", 0, 600)

    rate_per_minute: float = _setting(0.0, "Requests a minute of one client in the long run; 0: any number.", 0, 1e6)
    rate_burst: int = _setting(30, "Requests that a client may make at once before the rate counts.", 1, 10_000)
    trusted_proxies: int = _setting(0, "Proxies in front whose X-Forwarded-For and -Proto are believed.", 0, 10)
    api_keys: tuple[str, ...] = _setting(
        (), "Keys for the API, or sha256:HEX of keys; with none the API is open to all.", secret=True
    )
    api_keys_file: str = _setting("", "File of further keys, one a line; lines that begin with # are passed over.")
    cors_origins: tuple[str, ...] = _setting((), "Origins whose scripts may read the API; * for any.")
    hsts_seconds: int = _setting(0, "How long browsers shall insist on TLS, behind TLS; 0: unsaid.", 0, 1e9)

    access_log: bool = _setting(True, "Log every request as one line of JSON.")
    log_clients: bool = _setting(False, "Put client addresses into the access log.")
    log_queries: bool = _setting(False, "Put queries into the access log.")
    metrics: str = _setting("local", "Who may read /metrics.", among="off local key open")

    def __post_init__(self) -> None:
        for setting in all_settings():
            setting.check(getattr(self, setting.name))
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise UsageError(
                    f"'{origin}' is no origin for {_names('cors_origins')}: write scheme and host without a path, "
                    "like https://news.example, or *."
                )
        for name in self.rerank:
            if reranker_parts(name)[0] == NO_RERANKER:
                raise UsageError(
                    f"{_names('rerank')} is '{NO_RERANKER}', which always goes: name rerankers, or unset it."
                )
        for key in self.api_keys:
            _check_key(key, "api_keys")
        if self.metrics == "key" and not (self.api_keys or self.api_keys_file):
            raise UsageError("metrics is 'key', but there is no key: set api_keys or api_keys_file as well.")

    @classmethod
    def from_environment(
        cls, given: Mapping[str, str] | None = None, over: Mapping[str, str | tuple[str, ...]] | None = None
    ) -> WebSettings:
        """Settings from CONCORD_... variables (`given`; default: those of the process); texts in `over`, by the names
        of settings, win. Raises UsageError for a value that is none."""
        environment = os.environ if given is None else given
        over = over or {}
        values: dict[str, Any] = {}
        for setting in all_settings():
            text = over.get(setting.name, environment.get(setting.variable))
            if text is not None:
                values[setting.name] = setting.read(text)
        return cls(**values)

    @property
    def threads(self) -> int:
        """Request threads: one for every question at work or waiting, and some that are never theirs."""
        return self.max_searches + self.max_waiting + 4


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `low` and `high` are inclusive; `among` are the only values, where there are any."""

    name: str
    kind: Any
    default: Any
    text: str
    low: float | None
    high: float | None
    among: tuple[str, ...]
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"{PREFIX}{self.name.upper()}"

    @property
    def option(self) -> str | None:
        """The option of `concord serve`; None for a secret, which other users of the machine would see there."""
        return None if self.secret else f"--{self.name.replace('_', '-')}"

    @property
    def many(self) -> bool:
        """Whether the setting is a tuple of texts."""
        return typing.get_origin(self.kind) is tuple

    def read(self, text: str | tuple[str, ...]) -> Any:
        """The value that a text stands for. Raises UsageError."""
        if self.many:
            parts = text.split(SEPARATOR) if isinstance(text, str) else text
            return tuple(part.strip() for part in parts if part.strip())
        typed = str(text).strip()
        if self.kind is bool:
            if typed.lower() not in _TRUE | _FALSE:
                raise UsageError(f"{_names(self.name)} is '{typed}', and must be true or false.")
            return typed.lower() in _TRUE
        try:
            return self.kind(typed)
        except ValueError:
            raise UsageError(f"{_names(self.name)} is '{typed}', and must be {self._allowed()}.") from None

    def check(self, value: Any) -> None:
        """Raises UsageError for a value outside the limits."""
        low, high = self.low, self.high
        outside = low is not None and high is not None and not low <= value <= high
        if outside or (self.among and value not in self.among):
            raise UsageError(f"{_names(self.name)} is {value}, and must be {self._allowed()}.")

    def _allowed(self) -> str:
        if self.among:
            return f"one of {', '.join(self.among)}"
        kind = "a whole number" if self.kind is int else "a number"
        return f"{kind} from {self.low:,.10g} to {self.high:,.10g}"


def all_settings() -> tuple[Setting, ...]:
    """The rows of the table, in its order."""
    kinds = typing.get_type_hints(WebSettings)
    return tuple(Setting(f.name, kinds[f.name], f.default, **f.metadata) for f in dataclasses.fields(WebSettings))


def read_keys(settings: WebSettings) -> tuple[str, ...]:
    """All API keys: those of the settings and those of the file. Raises UsageError; no message ever holds a key."""
    if not settings.api_keys_file:
        return settings.api_keys
    try:
        lines = Path(settings.api_keys_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"The keys in '{settings.api_keys_file}' cannot be read: {reason}.") from None
    keys = tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not keys:
        # An empty file would otherwise open the API to everybody.
        raise UsageError(f"There is no key in '{settings.api_keys_file}': write one a line, or unset api_keys_file.")
    for key in keys:
        _check_key(key, "api_keys_file")
    return settings.api_keys + keys


def _check_key(key: str, name: str) -> None:
    if key.startswith("sha256:"):
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", key):
            raise UsageError(f"A hash in {_names(name)} is not sha256: and 64 hexadecimal digits in lower case.")
    elif len(key) < SHORTEST_KEY:
        raise UsageError(f"A key in {_names(name)} has {len(key)} characters, and must have at least {SHORTEST_KEY}.")
    elif not re.fullmatch(r"[\x21-\x7e]+", key):
        raise UsageError(f"A key in {_names(name)} has blanks or letters beyond ASCII, which no header carries.")


def _names(name: str) -> str:
    return f"{name} ({PREFIX}{name.upper()})"

"""The headers of every answer: what a browser may do with it, and who else may read it."""

from __future__ import annotations

from flask import Request, Response

from search_app.web.settings import WebSettings

__all__ = ["allow_origin", "secure"]

# Nothing but our own files runs or is shown, whatever an article says.
_ALWAYS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Authorization, X-API-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


def secure(response: Response, request: Request, settings: WebSettings) -> None:
    """Put the security headers on an answer; Strict-Transport-Security only where the client came by TLS."""
    for name, value in _ALWAYS.items():
        response.headers[name] = value
    if settings.hsts_seconds and request.is_secure:
        response.headers["Strict-Transport-Security"] = f"max-age={settings.hsts_seconds}"


def allow_origin(response: Response, request: Request, settings: WebSettings) -> None:
    """Let the scripts of a listed origin read this answer of the API; of others, and without a list, none may."""
    if not settings.cors_origins:
        return
    anyone = "*" in settings.cors_origins
    if not anyone:
        response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if not anyone and origin not in settings.cors_origins:
        return
    response.headers["Access-Control-Allow-Origin"] = "*" if anyone else origin
    response.headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-ID"
    if request.method == "OPTIONS":
        response.headers.update(_PREFLIGHT)

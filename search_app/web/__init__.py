"""The web face: a search page and a JSON API, as an app of its own or as a blueprint inside another Flask app."""

from search_app.web.app import blueprint, create_app
from search_app.web.settings import WebSettings

__all__ = ["WebSettings", "blueprint", "create_app"]

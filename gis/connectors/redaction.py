"""Redaction of secrets from what another system said, before a person or a table sees it."""

import base64
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

_SHOWN = 200  # characters of an answer that an error shows
HIDDEN_SECRET = "•••"


class Redactor:
    """Hides secrets, also as they stand in URLs, in JSON, and within HTTP Basic."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide this one too, such as a token that was just issued."""
        if not secret:
            return
        self._forms |= {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
        self._forms.add(secret.replace("\\", "\\\\").replace('"', '\\"'))
        self._forms.add(secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
        self._forms.add(base64.b64encode(secret.encode()).decode())

    def text(self, text: str) -> str:
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, HIDDEN_SECRET)
        return text

    def quote(self, text: str) -> str:
        """The beginning of a text on one line, without secrets, for an error."""
        line = " ".join(self.text(text).split())
        return line if len(line) <= _SHOWN else line[:_SHOWN] + " …"

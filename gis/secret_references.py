"""References to secrets in texts, `{secret:NAME}`; the values stand elsewhere (gis.secret_file)."""

import re
from collections.abc import Iterator, Mapping

from gis.errors import BadInput

SECRET = r"secret:[A-Z][A-Z0-9_]*"
_REFERENCE = re.compile(rf"\{{({SECRET})\}}")


def secret_references(text: str) -> Iterator[str]:
    """The names of the secrets in a text, in order; other braces say nothing here."""
    for reference in _REFERENCE.finditer(text):
        yield reference[1].removeprefix("secret:")


def with_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """The text with the values of its secrets; all else, other braces too, stays as it is.

    Raises BadInput, without any value, for a secret that is not set.
    """
    missing = sorted(set(secret_references(text)) - secrets.keys())
    if missing:
        raise BadInput(
            f"the secret {missing[0]} is not set: write GIS_SOURCE_SECRET_{missing[0]} into the "
            "environment or the file of GIS_SECRETS_FILE"
        )
    return _REFERENCE.sub(lambda found: secrets[found[1].removeprefix("secret:")], text)

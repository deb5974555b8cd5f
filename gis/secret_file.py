"""Secret file: settings that nobody may read but the service.

The file that GIS_SECRETS_FILE names has lines such as `GIS_DATABASE_URL=postgresql://…`. Secrets
may as well be in the environment, which goes first. They are SecretStr, which prints as asterisks;
error messages do not hold the value.

Secrets of gateways and of sources have names of the province's own, GIS_GATEWAY_SECRET_<NAME> and
GIS_SOURCE_SECRET_<NAME>: they are the fields `gateway_secrets` and `source_secrets`, by <NAME>.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from gis.errors import SetupError

_NAMED = re.compile(r"GIS_(GATEWAY|SOURCE)_SECRET_([A-Z][A-Z0-9_]*)")
_NAMED_FIELDS = {"GATEWAY": "gateway_secrets", "SOURCE": "source_secrets"}


class SecretFile(PydanticBaseSettingsSource):
    """Source of the secret fields' values, by their names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # all are read at once

    def __call__(self) -> dict[str, Any]:
        """The values in the file.

        Raises SetupError for a file that is missing, that others may read, or that holds other
        settings than secrets.
        """
        path = self.current_state.get("secrets_file")
        values = _read(Path(path)) if path else {}
        fields = self.settings_cls.model_fields
        secret = {
            f"GIS_{name.upper()}": name
            for name, field in fields.items()
            if "SecretStr" in str(field.annotation) and name not in _NAMED_FIELDS.values()
        }
        extra = {name for name in values if name not in secret and not _NAMED.fullmatch(name)}
        if extra:
            raise SetupError(
                f"GIS_SECRETS_FILE: {path} holds {', '.join(sorted(map(_name, extra)))}; it holds "
                f"secrets alone, as NAME=value: {', '.join([*secret, *_NAMED_SHOWN])}"
            )
        known = {secret[name]: value for name, value in values.items() if name in secret and value}
        named = {
            field: _named_secrets(kind, values) | _named_secrets(kind, os.environ)
            for kind, field in _NAMED_FIELDS.items()
        }
        return known | named


_NAMED_SHOWN = [f"GIS_{kind}_SECRET_…" for kind in _NAMED_FIELDS]


def _named_secrets(kind: str, values: Mapping[str, str | None]) -> dict[str, str]:
    """Secrets of a kind by their own names.

    Raises SetupError for one that no header or body could carry.
    """
    named = ((_NAMED.fullmatch(key), value) for key, value in values.items())
    secrets = {match[2]: value for match, value in named if match and match[1] == kind and value}
    for name, value in secrets.items():
        if not (value.isascii() and value.isprintable()):
            raise SetupError(f"GIS_{kind}_SECRET_{name}: it is of printable ASCII letters alone")
    return secrets


def _read(path: Path) -> dict[str, str | None]:
    try:
        with path.open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0):
                raise SetupError(
                    f"GIS_SECRETS_FILE: others than the account of the service may read {path} or "
                    f"change it; run `chmod 600 {path}` and give it to that account"
                )
            return dotenv_values(stream=file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = "is no text in UTF-8" if isinstance(error, UnicodeError) else error.strerror
        raise SetupError(f"GIS_SECRETS_FILE: {path}: {reason}") from None


def _name(word: str) -> str:
    """A name as it may be shown: a line without `=` may be a secret."""
    return word if word.startswith("GIS_") and word.isupper() and word.isidentifier() else "a line"

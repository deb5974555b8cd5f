"""The address under which clients see the service."""

from fastapi import Request

from gis.settings import Settings


def public_url(request: Request, settings: Settings) -> str:
    """The setting, else the address of the request; without a final slash."""
    return settings.public_url or str(request.base_url).rstrip("/")

"""Why a delivery did not arrive; the text is kept with it and shown to operators."""

from gis.errors import GisError


class NotDelivered(GisError):
    """The receiver did not take it; another attempt may succeed."""


class NotPublished(GisError):
    """The CAP document of a step has faults, which the text names."""


class Undeliverable(NotDelivered):
    """The receiver will never take it, so no other attempt is made."""

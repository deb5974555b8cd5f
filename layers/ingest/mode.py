"""Modes of a load: what becomes of the rows that are stored already."""

from enum import StrEnum


class LoadMode(StrEnum):
    """What becomes of the stored rows of a source."""

    APPEND = "append"  # they stay as they are, and what has their keys is passed over
    UPSERT = "upsert"  # those that come again take the new values
    REPLACE = "replace"  # and those that do not come again go
    MIRROR = "mirror"  # the same, but where many would go it is asked

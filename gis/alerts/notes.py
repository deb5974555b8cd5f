"""What people write of alerts, and how long it may be, however they write it."""

from gis.errors import BadInput

LONGEST_NOTE = 2000  # characters


def check_comment(note: str) -> None:
    """Raises BadInput."""
    if len(note) > LONGEST_NOTE:
        raise BadInput(f"a note has at most {LONGEST_NOTE} characters, this has {len(note)}")

"""Notes that people write about alerts, and their greatest length on every way in."""

from gis.errors import BadInput

LONGEST_NOTE = 2000  # characters


def check_comment(note: str) -> None:
    """Raises BadInput for a note that is too long."""
    if len(note) > LONGEST_NOTE:
        raise BadInput(f"a note has at most {LONGEST_NOTE} characters, this has {len(note)}")

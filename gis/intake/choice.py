"""Choice of one of several tables of a file."""

from collections.abc import Sequence

from gis.errors import AmbiguousInput, BadFile

_MAX_LISTED = 30


def choose_table(names: Sequence[str], table: str | None) -> str:
    """The only table, or the one that is named.

    Raises BadFile where there is none, or none of that name; AmbiguousInput where there are
    several and none is named.
    """
    if table is None and len(names) == 1:
        return names[0]
    if table is not None and table in names:
        return table
    more = f", … ({len(names)})" if len(names) > _MAX_LISTED else ""
    listed = ", ".join(f"“{name}”" for name in names[:_MAX_LISTED]) + more
    if not names:
        raise BadFile("không có bảng nào / holds no table")
    if table is not None:
        raise BadFile(f"không có bảng / there is no table “{table}”; có / there are: {listed}")
    raise AmbiguousInput(
        f"có {len(names)} bảng, hãy chọn một bằng --table / "
        f"holds {len(names)} tables, choose one with --table: {listed}"
    )

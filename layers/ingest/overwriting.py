"""Questions about what a load would overwrite or remove."""

from gis.errors import AmbiguousInput
from layers.ingest.merge import SOME, MergeCounts
from layers.ingest.mode import LoadMode

_SHARE = 0.3  # least share of the rows of the source


def ask_to_overwrite(counts: MergeCounts, mode: LoadMode, source: str, *, declared: bool) -> None:
    """Raises AmbiguousInput where rows would change that the sender may not mean.

    `declared`: somebody said that the records come from `source`; else it is the file's name.
    """
    if not declared and counts.others:
        other, known = next(iter(counts.others.items()))
        raise AmbiguousInput(
            f"{known} khóa của tệp đã có ở nguồn “{other}”, mà tệp chưa khai báo nguồn. Chưa lưu "
            f"gì. Cùng hệ thống: --source '{other}'; hệ thống khác: --source '{source}' / "
            f"{known} keys of the file are known under the source “{other}”, and the file declares "
            f"no source. Nothing was stored. If it is the same system, answer with --source "
            f"'{other}'; if it is another, with --source '{source}'"
        )
    stored = counts.stored
    if stored is None:
        return
    many_change = counts.updated >= SOME and counts.updated > _SHARE * stored
    if mode is not LoadMode.APPEND and many_change:
        raise AmbiguousInput(
            f"tệp sẽ ghi đè {counts.updated}/{stored} bản ghi của nguồn “{source}”. Chưa "
            "lưu gì. Đúng vậy: --yes; nguồn khác: --source …; chỉ thêm khóa mới: --mode append / "
            f"the file would overwrite {counts.updated} of the {stored} records of the "
            f"source “{source}”. Nothing was stored. If that is meant, answer with --yes; if it is "
            "another source, with --source …; to add new keys alone, with --mode append"
        )
    if mode is LoadMode.MIRROR and counts.missing > _SHARE * stored:
        raise AmbiguousInput(
            f"{counts.missing}/{stored} bản ghi của nguồn “{source}” không có trong tệp và "
            "sẽ bị xóa. Chưa lưu gì. Đúng vậy: --yes; giữ lại: --mode upsert / "
            f"{counts.missing} of the {stored} records of the source “{source}” are not in "
            "the file and would be deleted. Nothing was stored. If that is meant, answer with "
            "--yes; to keep them, with --mode upsert"
        )

"""Notes on what placing made of the words and points of a file, Vietnamese / English."""

from collections import Counter
from collections.abc import Sequence

from gis.placing.unit_names import UnitNames
from layers.definition.model import FileSource

_EXAMPLES = 3


def restored_codes(units: Sequence[str], names: UnitNames) -> Counter[tuple[str, str]]:
    """Counts of codes of communes that a spreadsheet made numbers of, each with what it was."""
    counts = Counter(units)
    restored = {text: code for text in counts if text and (code := names.restored_code(text))}
    return Counter({(text, code): counts[text] for text, code in restored.items()})


def restored_codes_note(source: FileSource, restored: Counter[tuple[str, str]]) -> str:
    """Note on `restored_codes` of a file; empty where there are none."""
    if not restored:
        return ""
    records = restored.total()
    examples = ", ".join(f"{text} → {code}" for text, code in list(restored)[:_EXAMPLES])
    return (
        f"cột (column) “{source.commune}”: {records} mã xã mất số 0 ở đầu đã được khôi phục theo "
        f"danh mục đơn vị / codes that had lost their leading 0 were restored by the list of "
        f"units ({examples})"
    )


def centre_note(records: int) -> str:
    """Note on points that are centres of communes; empty where there are none."""
    if not records:
        return ""
    return (
        f"{records} điểm là tâm xã: chỉ tính cho xã, không tính cho ô lục giác / points are "
        "centres of communes: they count in their commune and in no hex"
    )

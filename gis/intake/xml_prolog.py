"""Prolog of XML: the root element, and no declaration of entities, which could grow without end."""

from typing import BinaryIO
from xml.parsers import expat

from gis.errors import BadFile

_CHUNK_BYTES, _MAX_PROLOG_BYTES = 4_096, 65_536


class _RootFound(Exception):
    """The root element has begun."""


def root_element(file: BinaryIO) -> str:
    """The local name of the root element.

    Raises BadFile for what is no XML, declares a document type, or has no element in its first
    64 KiB.
    """
    parser, names = expat.ParserCreate(), list[str]()

    def begin(name: str, _: object) -> None:
        names.append(name)
        raise _RootFound

    def declare(*_: object) -> None:
        raise BadFile(
            "XML khai báo DOCTYPE, có thể phình ra vô hạn; không nhận, hãy bỏ khai báo đó / "
            "its XML declares a DOCTYPE, whose entities may grow without end; this is not read, "
            "take the declaration out"
        )

    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = declare
    try:
        for _ in range(_MAX_PROLOG_BYTES // _CHUNK_BYTES):
            parser.Parse(file.read(_CHUNK_BYTES), False)
    except _RootFound:
        return names[0].rsplit(":", 1)[-1]
    except expat.ExpatError as error:
        raise BadFile(f"không phải XML hợp lệ / is no valid XML: {error}") from None
    raise BadFile("không phải XML có dữ liệu / is no XML with data")

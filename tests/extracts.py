"""Small made-up extracts of OpenStreetMap and GeoNames, in the toy province (tests.provinces)."""

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Node:
    id: int
    lon: float
    lat: float
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    id: int
    nodes: tuple[int, ...]
    tags: Tags


NODES = (
    Node(1, 104.05, 22.05, {"place": "village", "name": "Làng Sao", "alt_name": "Bản Sao"}),
    Node(2, 104.02, 22.02, {"amenity": "marketplace", "name": "Chợ Sao Mai"}),
    Node(3, 104.03, 22.03, {"amenity": "bench"}),
    Node(4, 104.95, 22.05, {"place": "village", "name": "Làng Ngoài"}),
    Node(10, 104.01, 22.01), Node(11, 104.02, 22.01), Node(12, 104.02, 22.02),
    Node(20, 104.00, 22.04), Node(21, 104.30, 22.04),
)  # fmt: skip
WAYS = (
    Way(100, (10, 11, 12, 10), {"amenity": "school", "name": "Trường Tiểu học Sao Mai"}),
    Way(101, (20, 21), {"highway": "primary", "name": "Quốc lộ 4D", "ref": "QL.4D"}),
    Way(102, (10, 12), {"waterway": "stream", "name": "Suối Sao"}),
    Way(103, (10, 21), {"highway": "track"}),
)
GEONAMES = (
    ("1", "Bản Cát", "Ban Cat", "Ban Cat Thuong,Bản Cát", "22.05", "104.15", "P", "PPL"),
    ("2", "Chợ Cát", "Cho Cat", "", "22.06", "104.16", "S", "MKT"),
    ("3", "Tỉnh Lào Cai", "Lao Cai", "", "22.3", "104.1", "A", "ADM1"),
)


def write_geonames(path: Path) -> Path:
    rows = ("\t".join((*row, "VN", *[""] * 10)) for row in GEONAMES)
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def write_osm_xml(path: Path) -> Path:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">']
    for node in NODES:
        lines += [
            f'<node id="{node.id}" version="1" lon="{node.lon}" lat="{node.lat}">',
            *_xml_tags(node.tags),
            "</node>",
        ]
    for way in WAYS:
        refs = (f'<nd ref="{node}"/>' for node in way.nodes)
        lines += [f'<way id="{way.id}" version="1">', *refs, *_xml_tags(way.tags), "</way>"]
    path.write_text("\n".join([*lines, "</osm>"]), "utf-8")
    return path


def _xml_tags(tags: Tags) -> Iterable[str]:
    return (f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())


def write_osm_pbf(path: Path) -> Path:
    """The same in the binary form: https://wiki.openstreetmap.org/wiki/PBF_Format."""
    texts = [""]
    for thing in (*NODES, *WAYS):
        for key, value in thing.tags.items():
            texts += [text for text in (key, value) if text not in texts]
    strings = b"".join(_bytes(1, text.encode()) for text in texts)
    groups = [b"".join(_bytes(1, _node(node, texts)) for node in NODES),
              b"".join(_bytes(3, _way(way, texts)) for way in WAYS)]  # fmt: skip
    block = _bytes(1, strings) + b"".join(_bytes(2, group) for group in groups)
    header = _bytes(4, b"OsmSchema-V0.6")
    path.write_bytes(_blob("OSMHeader", header) + _blob("OSMData", block))
    return path


def _node(node: Node, texts: list[str]) -> bytes:
    lat, lon = (_zigzag(round(degrees * 1e7)) for degrees in (node.lat, node.lon))
    tags = _tags(node.tags, texts)
    return _integer(1, _zigzag(node.id)) + tags + _integer(8, lat) + _integer(9, lon)


def _way(way: Way, texts: list[str]) -> bytes:
    steps = [b - a for a, b in pairwise((0, *way.nodes))]
    refs = b"".join(_varint(_zigzag(step)) for step in steps)
    return _integer(1, way.id) + _tags(way.tags, texts) + _bytes(8, refs)


def _tags(tags: Tags, texts: list[str]) -> bytes:
    if not tags:
        return b""
    keys = b"".join(_varint(texts.index(key)) for key in tags)
    values = b"".join(_varint(texts.index(value)) for value in tags.values())
    return _bytes(2, keys) + _bytes(3, values)


def _blob(kind: str, content: bytes) -> bytes:
    blob = _integer(2, len(content)) + _bytes(3, zlib.compress(content))
    header = _bytes(1, kind.encode()) + _integer(3, len(blob))
    return struct.pack(">I", len(header)) + header + blob


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(value: int) -> bytes:
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])

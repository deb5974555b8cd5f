"""A register whose loads are killed, and what is stored of it afterwards."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from gis.database.cluster import Cluster
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.storage.sync import sync
from layers.storage.tables import has_unit_shares
from tests import soak
from tests.conftest import migrated_toy_province
from tests.integration.load_killing import mark_phases, steps
from tests.waiting import wait_until

WITHIN_S = 120

LAYER = """\
id: {id}
title: {{vi: Một, en: One}}
description: {{vi: Một, en: One}}
department: {{vi: Một, en: One}}
licence: MIT
geometry: {geometry}
source: {source}
fields:
  kind: {{type: text, label: {{vi: Loại, en: Kind}}}}
  depth: {{type: number, label: {{vi: Độ sâu, en: Depth}}}}
  owner: {{type: text, personal: true, label: {{vi: Chủ, en: Owner}}}}
"""
COLUMNS = ("code", "kind", "depth", "owner", "lon", "lat", "address", "phone")


def wells(edition: int) -> list[tuple[object, ...]]:
    """Records of an edition of a register: some come, change, go, fail, recover."""
    records: list[tuple[object, ...]] = []
    for n in range(40):
        if n % 8 == edition:  # gone in this edition
            continue
        depth: object = n + (edition if n % 3 == 0 else 0)
        if n % 10 == 5 + edition:
            depth = "sâu"
        lon = 130.5 if n == 11 + edition else 104.01 + n / 150
        place = (lon, 22.01 + n / 500, "") if n % 9 else ("", "", "thôn 1, xã Đồi Thông, Lào Cai")
        kind = ("khoan", "đào")[(n + edition * (n % 4 == 0)) % 2]
        records.append((f"W{n:02}", kind, depth, f"Ông {n} {edition}", *place, f"09{n:08}"))
    return records


def write_wells(path: Path, edition: int) -> Path:
    text = "\n".join(",".join(map(_cell, row)) for row in (COLUMNS, *wells(edition)))
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _cell(value: object) -> str:
    return f'"{value}"' if "," in str(value) else str(value)


@contextmanager
def marked_province(
    server: Cluster, catalogue: Catalogue, layers: Catalogue, folder: Path
) -> Iterator[Database]:
    """Three communes and the layers of a register, whose tables say at which phase a load is."""
    with migrated_toy_province(server.url, catalogue, folder) as database:
        with database.writing() as connection:
            sync(connection, layers)
        for layer in layers.layers:
            mark_phases(server.url, layer)
        yield database


_STATE = {
    "rows": "SELECT source_key, (to_jsonb(t) - ARRAY['id', 'updated_at', 'provenance'])::text,"
    " (t.provenance - 'load' - 'line')::text FROM layer.{} t",
    "hexes": "SELECT resolution, cell, category, count, total FROM gis.hex_count"
    " WHERE layer_id = %s",
    "days": "SELECT day::text, cell, category, count FROM gis.hex_day_count WHERE layer_id = %s",
    "quarantine": "SELECT source_key, raw::text, reason, why, status, undeclared::text"
    " FROM gis.quarantine WHERE layer_id = %s",
    "persons": "SELECT source_key, details::text FROM private.reporter WHERE layer_id = %s",
    "hidden": "SELECT source_key, cells::text FROM private.undeclared WHERE layer_id = %s",
    "addresses": "SELECT source_key, address FROM private.address WHERE layer_id = %s",
}
_UNITS = """
SELECT t.source_key, u.commune, round(u.share::numeric, 6)
FROM layer.{} t JOIN layer.{}_units u USING (id)"""
_BOOK = """
SELECT (SELECT count(*) FROM gis.load WHERE layer_id = %(layer)s),
       (SELECT count(*) FROM gis.load WHERE layer_id = %(layer)s AND ended_at IS NULL),
       (SELECT count(*) FROM gis.row_history h WHERE layer_id = %(layer)s
        AND NOT EXISTS (SELECT FROM gis.load l WHERE l.id = h.load_id))"""
_STRAYS = """
SELECT (SELECT count(*) FROM layer.{} t WHERE NOT EXISTS (
         SELECT FROM gis.load l WHERE l.id = (t.provenance ->> 'load')::bigint)),
       (SELECT count(*) FROM layer.{} WHERE h3 IS NOT NULL AND NOT default_point),
       (SELECT coalesce(sum(count), 0) FROM gis.hex_day_count WHERE layer_id = %s)"""


def state_of(server: Cluster, layer: Layer) -> dict[str, list[tuple[Any, ...]]]:
    """What is stored of a layer, without the numbers and times of its loads."""
    statements = _STATE | ({"units": _UNITS} if has_unit_shares(layer) else {})
    with psycopg.connect(server.url) as connection:
        return {
            name: sorted(connection.execute(
                statement.format(layer.id, layer.id), (layer.id,) if "%s" in statement else None
            ).fetchall())
            for name, statement in statements.items()
        }  # fmt: skip


def count_loads(server: Cluster, layer: Layer) -> int:
    """How many loads of a layer there are: each ended, each row and each step of history of one."""
    with psycopg.connect(server.url) as connection:
        (loads, open_loads, stray_history) = connection.execute(
            _BOOK, {"layer": layer.id}
        ).fetchone()
        (strays, placed, counted) = connection.execute(
            _STRAYS.format(layer.id, layer.id), (layer.id,)
        ).fetchone()
    assert open_loads == stray_history == strays == 0
    assert counted == (placed if layer.hexes else 0)
    return loads


def wait_for_backends(server: Cluster, folder: Path) -> None:
    """The backends of who was killed have ended: whatever they were sent is done or undone."""
    backends = list({backend for _, backend in steps(folder)})

    def are_gone() -> bool:
        with psycopg.connect(server.url) as connection:
            return not connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", (backends,)
            ).fetchone()

    wait_until(are_gone, within_s=WITHIN_S)


def environment(server: Cluster, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIS_")}
    own = {"GIS_DATABASE_URL": server.url, "GIS_LAYERS": str(folder / "layers"),
           "GIS_HOME": str(folder / "home")}  # fmt: skip
    return kept | own


def report(what: str, phases: Counter[str]) -> None:
    """Print the histogram of the phases at which somebody was killed."""
    print(f"\n{what}")
    print("\n".join(f"  {phase:24} {'#' * times} {times}" for phase, times in phases.items()))
    soak.count("kills", phases.total())

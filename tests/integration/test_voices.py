"""One reporter is one voice: a phone raises nothing, and as many people as records are many."""

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.detect.observations import read_records
from tests.integration.test_corrections import look
from tests.integration.test_hotspots import LAYER, NOW, alerts, noise, report

__all__ = []

TODAY = NOW - timedelta(hours=1)
# One telephone, as people and forms write it.
NOTATIONS = ("0214 387 211", "0214.387.211", "+84 214 387 211", "(0214) 387-211", "84214387211")


@pytest.fixture
def quiet(toy_province: Database) -> Database:
    report(toy_province, noise(), days=90, category="disaster")
    return toy_province


def calls(database: Database, phones: list[str | None], at: datetime = TODAY) -> None:
    """Reports some 200 to 900 m apart within an hour, each by a telephone; None: nobody named."""
    random = np.random.default_rng(4)
    turn = np.linspace(0, 2 * np.pi, len(phones), endpoint=False)
    away = np.column_stack([np.cos(turn), np.sin(turn)]) * random.uniform(0.003, 0.008)
    with database.reading() as connection:
        last = connection.scalar(text("SELECT max(id) FROM layer.citizen_reports"))
    report(database, np.array([104.15, 22.05]) + away, at=at, category="disaster")
    rows = [{"phone": orjson.dumps({"reporter_phone": phone}).decode(), "id": last + n}
            for n, phone in enumerate(phones, 1) if phone is not None]  # fmt: skip
    if not rows:
        return
    with database.writing() as connection:
        connection.execute(text("""
            INSERT INTO private.reporter (layer_id, source, source_key, details)
            SELECT 'citizen_reports', source, source_key, CAST(:phone AS jsonb)
            FROM layer.citizen_reports WHERE id = :id"""), rows)  # fmt: skip


def of_disasters(database: Database) -> list:
    return [one for one in alerts(database) if one.stream == "disaster"]


def test_one_phone_raises_nothing_however_it_is_written_and_however_often(quiet, catalogue):
    for day in range(3):
        calls(quiet, [NOTATIONS[n % 5] for n in range(12)], TODAY - timedelta(days=day))
    look(quiet, catalogue)
    assert of_disasters(quiet) == []


def test_as_many_phones_are_as_many_voices_and_corroboration_is_said(quiet, catalogue):
    calls(quiet, [f"09{n:08}" for n in range(9)] + ["0900000001", None, None])
    look(quiet, catalogue)
    found = next(one for one in of_disasters(quiet) if one.rule == "scan")
    assert found.severity == "urgent"
    assert found.observed == 11
    assert "12 bản ghi của 9 người, trong đó 2 bản ghi không rõ người báo." in found.detail_vi
    assert "12 records of 9 people, of which 2 name nobody." in found.detail_en


def test_no_telephone_is_read_out_of_schema_private(quiet, catalogue: Catalogue):
    """What is read tells voices apart by numbers; what a run keeps does not even that."""
    calls(quiet, ["0912345678", "0912345678", "0987654321", None])
    layer = catalogue.get(LAYER)
    with quiet.writing() as connection:
        records = read_records(
            connection, layer, layer.hotspots, TODAY - timedelta(days=2), datetime.now(UTC)
        )
    disasters = records.rows[records.rows["id"] > 90]
    assert len(set(disasters["voice"])) == 3 and sorted(disasters["voice"])[0] == 0
    assert "0912345678" not in records.rows.to_csv()

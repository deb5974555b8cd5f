"""One reporter is one voice: a phone raises nothing, and as many people as records are many."""

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest
import yaml
from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.checks import findings
from layers.definition.model import CountRule, Layer
from layers.detect.observations import read_records
from layers.detect.thresholds import find_beyond
from layers.storage.sync import sync
from tests.conftest import LAYERS
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


def beyond(
    database: Database,
    catalogue: Catalogue,
    *,
    voices: bool,
    at_least: int = 5,
    per: str = "commune",
):
    """The signals of a person's rule on disasters in a commune, or a hex."""
    title = {"vi": "Nhiều", "en": "Many"}
    rule = CountRule(kind="count", id="many", title=title, at_least=at_least, hours=24, per=per,
                     where={"category": "disaster"}, voices=voices)  # fmt: skip
    layer = catalogue.get(LAYER)
    with database.writing() as connection:
        return find_beyond(connection, layer, rule, NOW).signals


def test_a_rule_counts_records_unless_it_says_voices(quiet, catalogue):
    calls(quiet, [NOTATIONS[n % 5] for n in range(12)])
    (found,) = beyond(quiet, catalogue, voices=False, at_least=10)
    assert found.observed >= 12
    assert beyond(quiet, catalogue, voices=True) == ()


def test_voices_of_a_rule_are_people_and_each_record_that_names_nobody(quiet, catalogue):
    with quiet.writing() as connection:
        connection.execute(text("DELETE FROM layer.citizen_reports"))
    report(quiet, noise()[:1], at=NOW - timedelta(days=50), category="traffic")
    calls(quiet, ["0912345678", "+84 912 345 678", "0987654321", "Chị Hoa", "chị hoa ", None, None])
    (found,) = beyond(quiet, catalogue, voices=True)
    assert (found.observed, len(found.records), found.beyond) == (5, 7, 1)
    assert "5 người báo trong 24 giờ, ngưỡng 5" in found.headline_vi
    assert beyond(quiet, catalogue, voices=True, at_least=6) == ()


def test_a_rule_of_voices_needs_a_field_that_names_them(catalogue: Catalogue):
    told = yaml.safe_load((LAYERS / f"{LAYER}.yaml").read_text(encoding="utf-8"))
    del told["hotspots"]["reporter"]
    rule = {"kind": "count", "id": "many", "title": {"vi": "a", "en": "b"}, "at_least": 5,
            "hours": 24, "voices": True}  # fmt: skip
    told["alerts"]["rules"] = [rule]
    faults = [words for _, words in findings(Layer.model_validate(told))]
    assert any("`voices` needs `hotspots: {reporter: …}`" in words for words in faults)


@pytest.mark.parametrize("simulated", [0, 3, 8])
def test_an_alert_is_simulated_if_most_of_its_records_are_and_says_how_many(
    quiet, catalogue, simulated
):
    """Of scan, series and a person's rule alike; others of the layer are irrelevant."""
    calls(quiet, [f"09{n:08}" for n in range(12)])
    with quiet.writing() as connection:
        connection.execute(
            text(
                "UPDATE layer.citizen_reports SET provenance = '{\"simulated\": true}'"
                " WHERE id IN (SELECT id FROM layer.citizen_reports ORDER BY id DESC LIMIT :n)"
                " OR id = 1"
            ),
            {"n": simulated},
        )
    look(quiet, catalogue)
    found = [one for one in of_disasters(quiet) if one.rule in ("scan", "series")]
    assert found
    for one in found:
        assert one.simulated == (simulated > 6)
        assert ("là mô phỏng" in one.detail_vi) == (simulated > 0)
    (rule,) = beyond(quiet, catalogue, voices=True, at_least=12)
    assert rule.simulated == (simulated > 6)


@pytest.mark.parametrize(("phones", "seen"), [(100, True), (1, False)])
def test_a_hundred_callers_about_one_place_are_an_alert_of_a_rule_and_one_caller_is_none(
    quiet, catalogue, phones, seen
):
    """To the alarms they are one incident: the rule counts who reported it."""
    report(quiet, np.tile([[104.1501, 22.0501]], (100, 1)), at=TODAY, category="disaster")
    rows = [{"n": n, "phone": orjson.dumps({"reporter_phone": f"09{n % phones:08}"}).decode()}
            for n in range(100)]  # fmt: skip
    with quiet.writing() as connection:
        connection.execute(text("""
            INSERT INTO private.reporter (layer_id, source, source_key, details)
            SELECT 'citizen_reports', source, source_key, CAST(:phone AS jsonb)
            FROM layer.citizen_reports ORDER BY id DESC OFFSET :n LIMIT 1"""), rows)  # fmt: skip
    found = beyond(quiet, catalogue, voices=True, at_least=20, per="hex")
    assert [one.observed for one in found] == ([100] if seen else [])
    assert all(len(one.cells) == 1 for one in found)


def with_senders(catalogue: Catalogue, **senders: bool) -> Layer:
    """The layer with fields that tell what a report was sent with; True: personal."""
    layer = catalogue.get(LAYER)
    said = layer.model_dump(mode="json", exclude_unset=True)
    for name, personal in senders.items():
        said["fields"][name] = {
            "type": "text", "personal": personal, "label": {"vi": name, "en": name},
        }  # fmt: skip
    said["hotspots"]["senders"] = list(senders)
    return Layer.model_validate(said)


@pytest.mark.parametrize("personal", [True, False])
@pytest.mark.parametrize("devices", [1, 9])
def test_reports_that_name_nobody_are_one_voice_a_device(quiet, catalogue, personal, devices):
    layer = with_senders(catalogue, device=personal)
    others = Catalogue(tuple(layer if one.id == LAYER else one for one in catalogue.layers))
    with quiet.writing() as connection:
        sync(connection, others)
        last = connection.scalar(text("SELECT max(id) FROM layer.citizen_reports"))
    calls(quiet, [None] * 9)
    sent = [{"id": last + n, "device": f"d{n % devices}"} for n in range(1, 10)]
    stored = (
        "INSERT INTO private.reporter (layer_id, source, source_key, details)"
        " SELECT 'citizen_reports', source, source_key, jsonb_build_object('device',"
        " CAST(:device AS text)) FROM layer.citizen_reports WHERE id = :id"
        if personal
        else "UPDATE layer.citizen_reports SET device = :device WHERE id = :id"
    )
    with quiet.writing() as connection:
        connection.execute(text(stored), sent)
    look(quiet, others)
    found = [one for one in of_disasters(quiet) if one.rule == "scan"]
    assert [one.observed for one in found] == ([9] if devices == 9 else [])
    assert all("người" not in one.detail_vi or "không rõ người báo" in one.detail_vi
               for one in found)  # fmt: skip
    rule = CountRule(kind="count", id="calls", title={"vi": "x", "en": "x"}, at_least=1, hours=5,
                     per="province", where={"category": "disaster"}, voices=True)  # fmt: skip
    with quiet.writing() as connection:
        (signal,) = find_beyond(connection, layer, rule, NOW, []).signals
    before = sum(one <= last for one in signal.records)
    assert (signal.observed, len(signal.records)) == (before + devices, before + 9)


def test_a_sender_is_a_field_of_the_layer(catalogue: Catalogue):
    layer = catalogue.get(LAYER)
    hotspots = layer.hotspots.model_copy(update={"senders": ("phone_id",)})
    faults = list(findings(layer.model_copy(update={"hotspots": hotspots})))
    assert [where for where, _ in faults] == [("hotspots", "senders")]

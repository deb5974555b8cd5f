"""Days that no record can bear: in each date of a layer, at each door, as its file bounds them."""

import pytest

from gis.access import Role, create_key
from gis.errors import AmbiguousInput
from layers.ingest.records import FileOptions
from tests.intake_layers import layer_of, load, publish, read_in_chunks, rows, waiting, write_csv
from tests.integration.ogc_app import client_of

SOURCE = {"key": "id", "coordinates": {"x": "lon", "y": "lat"}, "time": {"column": "when"}}
PERMITS = layer_of(
    SOURCE,
    {
        "when": "date",
        "until": "date",
        "paid": "datetime",
        "leased": {"type": "date", "ahead_days": 30_000},
        "built": {"type": "datetime", "earliest": "1890-01-01"},
    },
    access={"read": "public", "write": "department"},
)
COLUMNS = ("id", "lon", "lat", "when", "until", "paid", "leased", "built")
FINE = {"when": "2025-09-01", "until": "2070-01-01", "paid": "2025-09-01T08:00:00+07:00",
        "leased": "2095-06-30", "built": "1900-01-01T00:00:00+07:00"}  # fmt: skip
WRONG = {"when": "2099-01-01", "until": "1970-01-01", "paid": "1900-01-01T00:00:00+07:00",
         "leased": "1899-12-30", "built": "1884-05-01T00:00:00+07:00"}  # fmt: skip


def record(key, **days):
    return (key, 104.15, 22.05, *(days.get(name, FINE[name]) for name in COLUMNS[3:]))


def test_a_wrong_day_of_any_field_sends_its_record_to_quarantine(toy_province, tmp_path):
    made = [record(name, **{name: day}) for name, day in WRONG.items()]
    path = write_csv(tmp_path / "a.csv", COLUMNS, record("fine"), *made, record("fine too"))
    report = load(toy_province, PERMITS, path)
    assert (report.added, report.quarantined, report.reasons) == (2, 5, {"bad_date": 5})
    for held in waiting(toy_province):
        assert held.why.startswith(f"{held.source_key}: “{WRONG[held.source_key][:10]}”")
        assert "earliest" in held.why


@pytest.mark.parametrize("rows_a_chunk", [None, 4])
@pytest.mark.parametrize("name", WRONG)
def test_a_column_of_wrong_days_is_one_question_and_nothing_is_stored(
    toy_province,
    tmp_path,
    monkeypatch,
    name,
    rows_a_chunk,
):
    made = [record(f"k{n}", **({name: WRONG[name]} if n % 3 else {})) for n in range(12)]
    path = write_csv(tmp_path / "a.csv", COLUMNS, *made)
    if rows_a_chunk:
        read_in_chunks(monkeypatch, rows_a_chunk)
    with pytest.raises(AmbiguousInput, match=f"{name}.*8/12") as question:
        load(toy_province, PERMITS, path)
    assert "--date-format iso" in str(question.value)
    assert rows(toy_province, "source_key") == [] == waiting(toy_province)
    answered = load(toy_province, PERMITS, path, answers=FileOptions(date_format="iso"))
    assert (answered.added, answered.quarantined) == (4, 8)


def test_wrong_days_in_one_part_of_a_file_are_no_question(toy_province, tmp_path, monkeypatch):
    made = [record(f"k{n}", **({"until": "2199-01-01"} if n < 5 else {})) for n in range(20)]
    read_in_chunks(monkeypatch, 5)
    report = load(toy_province, PERMITS, write_csv(tmp_path / "a.csv", COLUMNS, *made))
    assert (report.added, report.reasons) == (15, {"bad_date": 5})


def test_an_item_that_is_edited_bears_no_wrong_day_either(toy_province):
    publish(toy_province, PERMITS)
    with toy_province.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    items = "/ogc/collections/mz/items"
    at = {"type": "Point", "coordinates": [104.15, 22.05]}
    with client_of(toy_province, [PERMITS]) as client:
        client.headers["X-API-Key"] = key
        made = client.post(items, json={"type": "Feature", "geometry": at, "properties": FINE})
        assert made.status_code == 201, made.text
        there = made.headers["Location"]
        for name, day in WRONG.items():
            changed = {"type": "Feature", "properties": {name: day}}
            refused = client.patch(there, json=changed)
            assert refused.status_code == 400
            assert refused.json()["faults"][0]["where"] == f"properties.{name}"
            whole = {"type": "Feature", "geometry": at, "properties": FINE | {name: day}}
            assert client.post(items, json=whole).status_code == 400
        with toy_province.writing() as connection:  # as it was stored before there were bounds
            connection.exec_driver_sql("UPDATE layer.mz SET until = '1970-01-01'")
        kept = {"type": "Feature", "properties": {"until": "1970-01-01", "leased": "2090-01-01"}}
        assert client.patch(there, json=kept).status_code == 204

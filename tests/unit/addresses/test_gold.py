"""Hard addresses whose commune was checked one by one; a blank code means: give none."""

import csv
from pathlib import Path

import pytest

from gis.placing.addresses import AddressMatch, AddressResolver

Row = dict[str, str]


@pytest.fixture(scope="module")
def gold(shared: Path) -> list[Row]:
    path = shared / "gold" / "addresses.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def answers(gold: list[Row], resolver: AddressResolver) -> list[tuple[Row, AddressMatch]]:
    return list(zip(gold, resolver.resolve_many(row["address"] for row in gold), strict=True))


def code(match: AddressMatch) -> str:
    return match.commune.code if match.commune else ""


def test_at_least_97_percent_of_the_coded_rows_are_right(
    answers: list[tuple[Row, AddressMatch]],
) -> None:
    coded = [(row, match) for row, match in answers if row["new_commune_code"]]
    right = [row for row, match in coded if code(match) == row["new_commune_code"]]
    assert len(coded) > 40
    assert len(right) >= 0.97 * len(coded)


def test_no_row_is_answered_wrong_with_confidence(
    answers: list[tuple[Row, AddressMatch]],
) -> None:
    for row, match in answers:
        if match.confidence >= 0.8:
            assert code(match) == row["new_commune_code"], row["address"]


def test_no_blank_row_is_answered_and_its_candidates_are_named(
    answers: list[tuple[Row, AddressMatch]],
) -> None:
    blank = [(row, match) for row, match in answers if not row["new_commune_code"]]
    assert blank
    for row, match in blank:
        assert match.commune is None, row["address"]
        expected = row["note"].rpartition("[candidates ")[2].rstrip("]").split("|")
        assert set(expected) <= {c.code for c in match.candidates}, row["address"]

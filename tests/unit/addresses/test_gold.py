"""Hard addresses whose commune was checked one by one; a blank code means: give none."""

import csv
from pathlib import Path

import pytest

from gis.placing.addresses import AddressMatch, AddressResolver

Answer = tuple[dict[str, str], AddressMatch]


@pytest.fixture(scope="module", params=["addresses.csv", "addresses_2.csv"])
def answers(
    request: pytest.FixtureRequest, shared: Path, resolver: AddressResolver
) -> list[Answer]:
    path = shared / "gold" / request.param
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row, resolver.resolve(row["address"])) for row in rows]


def code(match: AddressMatch) -> str:
    return match.commune.code if match.commune else ""


def accepted(row: dict[str, str]) -> set[str]:
    """Codes that may be given without confidence."""
    return {"", row["new_commune_code"], *(row.get("also_acceptable") or "").split("|")}


def test_at_least_97_percent_of_the_coded_rows_are_right(answers: list[Answer]) -> None:
    coded = [(row, match) for row, match in answers if row["new_commune_code"]]
    right = [row for row, match in coded if code(match) == row["new_commune_code"]]
    assert len(coded) > 40
    assert len(right) >= 0.97 * len(coded)


def test_no_row_is_answered_wrong_with_confidence(answers: list[Answer]) -> None:
    for row, match in answers:
        if match.confidence >= 0.8:
            assert code(match) == row["new_commune_code"], row["address"]


def test_no_blank_row_is_answered(answers: list[Answer]) -> None:
    blank = [(row, match) for row, match in answers if not row["new_commune_code"]]
    assert blank
    for row, match in blank:
        assert code(match) in accepted(row), row["address"]


def test_the_candidates_of_a_blank_row_are_named(answers: list[Answer]) -> None:
    for row, match in answers:
        _, is_listed, listed = row.get("note", "").rpartition("[candidates ")
        if is_listed:
            expected = set(listed.rstrip("]").split("|"))
            assert expected <= {c.code for c in match.candidates}, row["address"]

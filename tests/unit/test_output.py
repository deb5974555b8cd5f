"""What commands print for people."""

from datetime import UTC, datetime

from api.cli.output import print_facts


def test_people_read_moments_by_their_clock_and_short_numbers(capsys):
    at = datetime(2026, 11, 27, 20, 31, 44, 284645, UTC)
    print_facts({"at": at, "p": 2.7378507871e-05, "outcome": None, "observed": 45.0}, as_json=False)
    lines = [line.split(maxsplit=1)[1:] for line in capsys.readouterr().out.splitlines()]
    assert lines == [["2026-11-28 03:31"], ["2.73785e-05"], [], ["45"]]

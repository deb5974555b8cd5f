"""Keys of records: different values of the key columns, different keys."""

from hypothesis import given
from hypothesis import strategies as st

from layers.ingest.records import key_of

PARTS = st.lists(st.text(alphabet='ab|\\#"[,]é'), min_size=2, max_size=3)


@given(PARTS, PARTS)
def test_different_values_have_different_keys(one: list[str], other: list[str]) -> None:
    assert (key_of(one) == key_of(other)) == (one == other)


@given(st.text())
def test_a_key_of_one_column_is_its_value(value: str) -> None:
    assert key_of([value]) == value


def test_values_without_the_sign_are_joined_as_ever() -> None:
    assert key_of(["2024-09-10", "Bản Lầu", ""]) == "2024-09-10|Bản Lầu|"

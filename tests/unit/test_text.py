"""What is hidden in words that anybody may have written, and what is not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.text import HIDDEN, number_en, number_vi, without_contacts


@pytest.mark.parametrize(
    "contact",
    [
        "0912345678", "0912 345 678", "0912.345.678", "091-234-5678", "+84912345678",
        "+84 912 345 678", "84 912345678", "(0214) 3872 115",
        "0214.3872.115", "02143 872 115", "an.nguyen@example.com.vn", "a+b@x.vn",
        "001099012345", "24A-123.45", "24A1-12345", "24B1 567.89", "29-C1 234.56", "30K 1234",
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["gọi {} gặp anh An", "{}", "SĐT:{}, cảm ơn"])
def test_a_contact_is_hidden_and_the_words_around_it_stay(contact: str, around: str) -> None:
    assert without_contacts(around.format(contact)) == around.format(HIDDEN)


@pytest.mark.parametrize(
    "words",
    [
        "Sạt lở km 12+345, quốc lộ 4D", "ngày 03.09.2024 08:30", "từ 03-09-2024 đến 05-09-2024",
        "lúc 08:30 ngày 10/9/2024", "tọa độ 103.9719054331, 22.4790428959", "Nước & <b>\"lũ\"</b>",
        "khoảng 1.500.000.000 đồng", "tổ 24, phường Lào Cai", "cột điện số 0471", "cao 3143 m",
        "419735.6526 2486912.7857", "nhà số 123 đường Hoàng Liên", "QL279 km 0 + 500",
    ],
)  # fmt: skip
def test_other_numbers_stay(words: str) -> None:
    assert without_contacts(words) == words


@settings(deadline=None)
@given(st.text(max_size=80))
def test_hiding_twice_changes_nothing_more(words: str) -> None:
    once = without_contacts(words)
    assert without_contacts(once) == once


@pytest.mark.parametrize(
    ("value", "digits", "trim", "vi", "en"),
    [
        (29655.12, 2, True, "29.655,12", "29,655.12"),
        (1482.7, 2, True, "1.482,7", "1,482.7"),
        (1338, 0, True, "1.338", "1,338"),
        (2400.0, 2, True, "2.400", "2,400"),
        (4.04, 1, False, "4,0", "4.0"),
        (999.96, 1, False, "1.000,0", "1,000.0"),
        (100, 0, False, "100", "100"),
    ],
)
def test_numbers_are_written_as_each_language_does(value, digits, trim, vi, en):
    assert number_vi(value, digits, trim=trim) == vi
    assert number_en(value, digits, trim=trim) == en

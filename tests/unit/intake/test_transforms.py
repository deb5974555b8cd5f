"""Named functions of cells: what they read, and that they leave all else as it is."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.intake.transforms import TRANSFORMS, item_of
from gis.intake.units import scaled
from layers.definition.model import Transform


@pytest.mark.parametrize(
    ("name", "text", "plain"),
    [
        ("dotnet_date", "/Date(1757300400000)/", "2025-09-08T03:00:00+00:00"),
        ("dotnet_date", r"\/Date(1757300400000+0700)\/", "2025-09-08T03:00:00+00:00"),
        ("dotnet_date", "/Date(-62135596800000)/", "0001-01-01T00:00:00+00:00"),
        ("dotnet_date", "8/9/2025", "8/9/2025"),
        ("epoch_ms", "1757300400500", "2025-09-08T03:00:00.500000+00:00"),
        ("epoch_ms", "99999999999999999", "99999999999999999"),
        ("epoch_s", "1757300400", "2025-09-08T03:00:00+00:00"),
        ("epoch_s", "1757300400.0", "2025-09-08T03:00:00+00:00"),
        ("epoch_s", "hôm nay", "hôm nay"),
        ("strip_html", "<p>Trạm&nbsp;<b>Sa Pa</b></p><p>82 &lt; 85</p>", "Trạm Sa Pa 82 < 85"),
        ("strip_html", "<script>alert(1)</script>mưa<br/>to", "mưa to"),
        ("strip_html", "5 < 6 và 7 > 6", "5 < 6 và 7 > 6"),
        ("number_in_text", "Mực nước: 82,35 m.", "82,35"),
        ("number_in_text", "từ 5 đến 7", "từ 5 đến 7"),
        ("number_in_text", "chưa đo", "chưa đo"),
        ("local_time", "2025-09-08T10:00:00Z", "2025-09-08T10:00:00"),
        ("local_time", "2025-09-08T10:00:00+07:00", "2025-09-08T10:00:00+07:00"),
        ("collapse_blanks", "  Bảo   Yên ", "Bảo Yên"),
    ],
)
def test_a_function_reads_its_form_and_leaves_others(name, text, plain):
    assert TRANSFORMS[name](text) == plain


def test_items_and_factors_are_exact():
    assert [item_of("a, b,c", at) for at in (0, 1, -1, 3, -4)] == ["a", "b", "c", "", ""]
    assert item_of("1;2", 1, ";") == "2"
    assert scaled("8235", 0.01) == "82.35"
    assert scaled("0.1", 3) == "0.3"
    assert scaled("nhiều", 3) == "nhiều"


def test_a_layer_file_may_name_each_function_and_no_other():
    assert set(get_args(Transform)) == set(TRANSFORMS)


@given(st.text(max_size=60))
def test_no_text_is_an_error(text):
    for function in TRANSFORMS.values():
        assert isinstance(function(text), str)
    assert isinstance(scaled(text, 2.5), str)

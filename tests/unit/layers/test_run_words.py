"""What is said of findings: numbers as each language writes them, and nothing beyond them."""

from pathlib import Path

import pytest

from gis.analysis.outliers import CATEGORIES
from layers.definition.catalogue import read_layer
from layers.detect.messages import (
    cluster_headline,
    cluster_message,
    subject_of,
)
from layers.detect.methods.emerging import emerging_message
from layers.detect.methods.gi_star import map_message
from layers.detect.methods.local_moran import local_moran_message
from layers.detect.scan import LONGEST_DAYS, Core, ScanCluster, Stretch

LAYERS = Path(__file__).parents[3] / "layers"


def cluster(**changed: object) -> ScanCluster:
    values: dict = {
        "stream": "environment", "rank": 1, "centre": 1, "radius_m": 2340.0, "days": 3,
        "observed": 12, "expected": 1.14, "llr": 17.0, "p": 0.001, "recurrence_days": 1000.0,
        "cells": (1,), "communes": ("00004", "00007"), "records": (1,),
    }  # fmt: skip
    return ScanCluster(**values | changed)


def test_a_cluster_is_described_with_its_numbers_its_place_and_how_rare_it_is():
    vi, en = cluster_message(cluster(), {"00004": "Xã Bãi Cát"})
    assert vi == (
        "12 báo cáo trong 3 ngày, bình thường 1,1; trong bán kính 2,3 km, Xã Bãi Cát, 00007. "
        "Nếu chỉ là ngẫu nhiên, cụm như vậy gặp khoảng một lần trong 3 năm."
    )
    assert en == (
        "12 reports in 3 days, normally 1.1; within 2.3 km, Xã Bãi Cát, 00007. "
        "By chance alone, such a cluster is met about once in 3 years."
    )


@pytest.mark.parametrize(
    ("days", "vi", "en"),
    [
        (45.4, "45 ngày", "45 days"),
        (700.0, "700 ngày", "700 days"),
        (LONGEST_DAYS, "hơn 100 năm", "more than 100 years"),
    ],
)
def test_rarity_is_given_in_days_then_years_and_no_more_than_a_century(days, vi, en):
    told = cluster_message(cluster(recurrence_days=days), {})
    assert told[0].endswith(f"một lần trong {vi}.")
    assert told[1].endswith(f"once in {en}.")


def test_one_hex_one_day_one_report_and_a_small_expectation_read_well():
    vi, en = cluster_message(
        cluster(radius_m=0.0, days=1, observed=1, expected=0.044, communes=()), {}
    )
    assert vi.startswith("1 báo cáo trong 1 ngày, bình thường 0,04; trong một ô. ")
    assert en.startswith("1 report in 1 day, normally 0.04; in one hex. ")


def test_a_stream_is_called_by_its_category_or_by_its_layer():
    reports = read_layer(LAYERS / "citizen_reports.yaml")
    assert cluster_headline(reports, cluster()) == (
        "Môi trường: 12 báo cáo trong 3 ngày, bình thường 1,1",
        "Environment: 12 reports in 3 days, normally 1.1",
    )
    assert subject_of(reports, "").en == "Citizen reports"
    assert subject_of(reports, "unheard").vi == "Phản ánh của người dân, unheard"


def test_hexes_of_both_maps_are_explained_by_their_numbers():
    assert map_message(18, 0.44, 30, 0.0004) == (
        "18 báo cáo ở ô này và quanh nó trong 30 ngày, nếu rải đều 0,4; tỷ lệ phát hiện sai q < "
        "0,001",
        "18 reports in this hex and around it in 30 days, if spread evenly 0.4; false "
        "discovery rate q < 0.001",
    )
    assert emerging_message("hot_consecutive", 3, 12, 7, 1, 0.02) == (
        "Nóng liên tiếp: 3/12 tuần; xu thế tăng (p = 0,020)",
        "Consecutive hot spot: 3 of 12 weeks; trend up (p = 0.020)",
    )


def test_a_hex_and_its_surroundings_are_explained_by_their_numbers():
    assert local_moran_message("low_high", (1, 4.04), (60, 24.25), 90, 0.012) == (
        "Ít giữa nơi nhiều: 1 báo cáo ở ô này trong 90 ngày, nếu rải đều 4,0; quanh nó 60, "
        "nếu rải đều 24,2; tỷ lệ phát hiện sai q = 0,012",
        "Few among many: 1 report in this hex in 90 days, if spread evenly 4.0; around it 60, "
        "if spread evenly 24.2; false discovery rate q = 0.012",
    )


def test_categories_are_called_alike_in_words_and_in_the_layer():
    values = read_layer(LAYERS / "local_moran.yaml").fields["category"].values
    assert values is not None
    assert set(values) == set(CATEGORIES)
    for name, words in values.items():
        told = local_moran_message(name, (1, 1.0), (1, 1.0), 1, 1.0)
        assert all(
            one.startswith(f"{said}: ")
            for one, said in zip(told, (words.vi, words.en), strict=True)
        )


def test_every_class_of_the_layer_emerging_is_called_alike_in_words_and_on_the_map():
    categories = read_layer(LAYERS / "emerging.yaml").fields["category"].values
    assert categories is not None
    assert len(categories) == 16
    for name, label in categories.items():
        told = emerging_message(name, 1, 12, 7, 0, 1.0)
        assert (told[0].split(":")[0], told[1].split(":")[0]) == (label.vi, label.en)


def test_a_core_is_described_beside_its_reach_and_communes_with_their_shares():
    """One stray report does not make an outbreak of a hamlet one of two communes."""
    names = {"00004": "Xã Bãi Cát", "00007": "Xã Đồi Thông"}
    told = cluster(
        radius_m=7400.0, observed=16, core=Core(1400.0, 15), shares=(("00004", 15), ("00007", 1))
    )
    vi, en = cluster_message(told, names)
    assert "bán kính 7,4 km, trong đó 15 trong bán kính 1,4 km, Xã Bãi Cát (15), " in vi
    assert "within 7.4 km, 15 of them within 1.4 km, Xã Bãi Cát (15), Xã Đồi Thông (1)." in en
    whole = cluster(radius_m=2000.0, core=Core(1900.0, 10), shares=(("00004", 12),))
    assert "trong đó" not in cluster_message(whole, names)[0]
    one_hex = cluster(radius_m=5000.0, core=Core(0.0, 10))
    assert "10 trong một ô" in cluster_message(one_hex, names)[0]


@pytest.mark.parametrize(
    ("metres", "known", "vi", "en"),
    [
        ((98_200.0, 100_700.0), True, "QL4D Km 98–101", "QL4D Km 98–101"),
        ((98_200.0, 98_900.0), True, "QL4D Km 98–99", "QL4D Km 98–99"),
        ((98_000.0, 98_000.0), True, "QL4D Km 98", "QL4D Km 98"),
        ((98_000.0, 100_000.0), True, "QL4D Km 98–100", "QL4D Km 98–100"),
        ((1_000.0, 3_540.0), False, "QL4D, một đoạn 2,5 km", "QL4D, a stretch of 2.5 km"),
        ((1_000.0, 1_000.0), False, "QL4D, một đoạn 0,1 km", "QL4D, a stretch of 0.1 km"),
    ],
)
def test_a_stretch_is_told_by_its_kilometres_where_these_are_known(metres, known, vi, en):
    on_road = cluster(stretch=Stretch("QL4D", *metres, known))
    layer = read_layer(LAYERS / "citizen_reports.yaml")
    assert cluster_headline(layer, on_road) == (
        f"Môi trường, {vi}: 12 báo cáo trong 3 ngày, bình thường 1,1",
        f"Environment, {en}: 12 reports in 3 days, normally 1.1",
    )
    assert f"; {vi}, 00004, 00007. " in cluster_message(on_road, {})[0]


def test_a_single_hex_is_told_as_one_spot_with_its_width():
    spot = cluster(is_single=True, centre=0x8A1FB46622DFFFF, radius_m=0.0, communes=("00004",))
    layer = read_layer(LAYERS / "citizen_reports.yaml")
    assert cluster_headline(layer, spot) == (
        "Môi trường, tại một điểm: 12 báo cáo trong 3 ngày, bình thường 1,1",
        "Environment, at one spot: 12 reports in 3 days, normally 1.1",
    )
    vi, en = cluster_message(spot, {})
    assert "; trong một ô rộng 130 m, 00004. " in vi
    assert "; in one hex of 130 m, 00004. " in en

"""One telephone, whatever it sends: a hundred tries raise no alarm."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from gis import analysis
from layers.detect.observations import Observations
from layers.detect.situation import find_situation
from tests.unit.layers.test_situations import NOW, SUBJECTS, TIMES, quiet

TRIES = 100
_LEAST_OF_A_CLUSTER = 3


@pytest.fixture(scope="module")
def usual() -> pd.DataFrame:
    rows = quiet(1, 42, 61)
    return rows[(rows["received_at"] <= NOW) & (rows["received_at"] > NOW - timedelta(days=29))]


def sent(seed: int) -> pd.DataFrame:
    """Up to sixty reports of one voice in a night: of any subjects, in a valley or all over."""
    random = np.random.default_rng(seed)
    n = int(random.integers(3, 60))
    spread = random.choice([0.003, 0.02, 0.5])
    subjects = random.choice(SUBJECTS, int(random.integers(1, len(SUBJECTS) + 1)), replace=False)
    at = pd.DatetimeIndex(NOW - pd.to_timedelta(random.uniform(0, 600, n), unit="min"))
    return pd.DataFrame({
        "id": np.arange(100_000, 100_000 + n),
        "category": random.choice(subjects, n),
        "lon": 104.15 + random.uniform(-spread, spread, n),
        "lat": 22.05 + random.uniform(-spread, spread, n),
        "happened_at": at, "received_at": at, "source": "hotline",
        "source_key": [f"p{k}" for k in range(n)], "default_point": False,
        "place_precision_m": 10.0, "cell": np.arange(n, dtype=np.int64) + 1,
        "commune": [f"{int(k):05d}" for k in random.integers(0, 99, n)],
        "voice": 1,
    })  # fmt: skip


def test_a_prankster_is_one_voice_in_each_subject_and_makes_no_situation(usual):
    for seed in range(TRIES):
        night = analysis.clean(sent(seed)).records
        counted = night[night["in_alarm"] | night["in_commune"]]
        most = counted.groupby("category").size().max()
        assert most == 1 < _LEAST_OF_A_CLUSTER, seed
        together = pd.concat([usual, night], ignore_index=True)
        rows = together.assign(in_commune=together["in_commune"].astype(bool))
        found = find_situation(Observations(rows, {}, frozenset()), NOW, TIMES)
        assert found is None, seed


def test_so_many_people_make_one(usual):
    """The same nights, of a telephone each: most are an alarm, so the law can fail."""
    raised = 0
    for seed in range(20):
        reports = sent(seed)
        night = analysis.clean(reports.assign(voice=np.arange(len(reports)) + 1)).records
        raised += int((night[night["in_alarm"]].groupby("category").size() >= 3).any())
    assert raised >= 15

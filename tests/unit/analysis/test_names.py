"""What `gis.analysis` gives, and that it costs nothing until it is asked for."""

import subprocess
import sys

import pytest

import gis.analysis


@pytest.mark.parametrize("name", gis.analysis.__all__)
def test_a_public_name_is_defined_and_documented_in_this_package(name):
    thing = getattr(gis.analysis, name)
    assert thing.__module__.startswith("gis.analysis.")
    assert thing.__doc__


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="stp_scam"):
        _ = gis.analysis.stp_scam


def test_importing_the_package_brings_neither_numba_nor_pandas():
    code = "import sys, gis.analysis; print({'numba', 'pandas'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"

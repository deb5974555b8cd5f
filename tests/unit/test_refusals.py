"""Refusals of commands are in plain words, without names of Python's errors."""

import subprocess

import pytest

from tests.acceptance.service import GIS

LINES = {
    ("alerts", "resolve", "3", "perhaps"): "'perhaps' is not one of 'true', 'false', 'unknown'",
    ("alerts", "list", "--status", "opened"): "'opened' is not one of 'pending', 'open'",
}


@pytest.mark.parametrize("words", LINES)
def test_a_word_that_is_no_choice_is_refused_in_plain_words(words):
    done = subprocess.run([*GIS, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f": {LINES[words]}" in done.stderr

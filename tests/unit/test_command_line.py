"""The command line knows who acts, and refuses in plain words, without names of Python's errors."""

import os
import pwd
import subprocess

import pytest

from api.cli.context import somebody_here
from gis.errors import BadInput
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


def test_who_acts_at_the_machine_is_named_by_login_and_by_the_name_given(monkeypatch):
    monkeypatch.setenv("LOGNAME", "duty")
    assert somebody_here().name == "local:duty"
    assert somebody_here(" Lan ").name == "local:duty (Lan)"
    for unreadable in (" ", "a\nb", "a" * 101):
        with pytest.raises(BadInput, match="--who"):
            somebody_here(unreadable)


def test_an_account_without_a_name_is_named_by_its_number(monkeypatch):
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert somebody_here().name == f"local:{os.getuid()}"

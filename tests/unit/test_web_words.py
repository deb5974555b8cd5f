"""What pages say, they say in Vietnamese and in English."""

import re
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "api" / "web"
# The two languages of a module, each as deep as the other.
_BLOCKS = re.compile(r"^  (vi|en): \{\n(.*?)^  \},\n", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"(?:^|[,{])\s*(\w+): [\"`(]", re.MULTILINE)


@pytest.mark.parametrize("module", ["ask.js", "words.js"])
def test_each_word_is_there_in_both_languages(module: str):
    text = (WEB / module).read_text(encoding="utf-8")
    found = {language: set(_NAME.findall(body)) for language, body in _BLOCKS.findall(text)}
    assert len(found["vi"]) > 50
    assert found["vi"] == found["en"]

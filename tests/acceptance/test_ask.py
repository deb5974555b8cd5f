"""The page of planners in a real browser: choose, fill, watch it run, see the result."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from api.routes.map import MAPLIBRE
from tests.acceptance.screenshot import CHROMIUM, browser
from tests.acceptance.service import Service

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(not MAPLIBRE.is_dir(), reason="no MapLibre: npm ci"),
]


NOBODY = "gis population load"  # in the demo


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@contextmanager
def page_of(chromium, running: Service, refused: bool = False) -> Iterator[Page]:
    """The open page; fails on anything that it complains of, but for answers that refuse something
    where some are expected.
    """
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, locale="vi-VN",
        permissions=["clipboard-read", "clipboard-write"],
    )  # fmt: skip
    opened = context.new_page()
    complaints: list[str] = []
    opened.on(
        "console", lambda said: complaints.append(said.text) if said.type == "error" else None
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(f"{running.url}/ask")
    opened.wait_for_selector("body[data-ready]", timeout=60_000)
    yield opened
    context.close()
    assert [one for one in complaints if not (refused and "status of 4" in one)] == []


def test_a_question_is_chosen_filled_and_answered(chromium, running):
    with page_of(chromium, running) as page:
        assert page.locator("html").get_attribute("lang") == "vi"
        page.select_option("#process", "buffer")
        expect(page.locator("#about")).to_contain_text("VN-2000")
        page.select_option("#input-layer", "citizen_reports")
        page.click("#form details summary")
        page.fill("#form details input >> nth=0", "category = 'traffic'")
        page.fill("#input-distance_m", "500")
        page.click("#form .go")
        page.wait_for_selector("body[data-shown]", timeout=60_000)
        expect(page.locator("#result-title")).to_contain_text("Vùng đệm")
        expect(page.locator("#table tr").nth(5)).to_be_attached()
        expect(page.locator("#summary")).to_contain_text("Số đối tượng")
        page.click("text=Chép lệnh curl")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("curl -X POST") and "category = '" in copied.replace(
            "'\"'\"'", "'"
        )
        # A result is an input of the next question.
        page.select_option("#process", "dissolve")
        expect(page.locator("#input-layer option").first).to_have_text("kết quả vừa tính")
        page.click("#language")
        expect(page.locator("#about")).to_contain_text("Joins lines or areas")
        expect(page.locator("#result-title")).to_contain_text("Buffer")


def test_what_is_wrong_is_said_beside_the_form(chromium, running):
    with page_of(chromium, running, refused=True) as page:
        page.select_option("#process", "buffer")
        page.fill("#input-distance_m", "5")
        page.click("#form details summary")
        page.fill("#form details input >> nth=0", "no_such = 1")
        page.click("#form .go")
        expect(page.locator("#problem")).to_contain_text("no_such", timeout=60_000)


def test_every_question_of_the_gallery_runs(chromium, running):
    done = running.run("rasters", "demo")
    assert done.returncode == 0, done.stderr
    with page_of(chromium, running) as page:
        page.click("#gallery summary")
        questions = page.locator("#questions button")
        expect(questions.nth(27)).to_be_attached()
        asked = page.evaluate("import('/web/questions.js').then(({questions}) => questions())")
        for at, question in enumerate(asked):
            if "href" in question:
                answer = page.request.get(f"{running.url}{question['href']}")
                assert answer.ok or NOBODY in answer.text(), (question["en"], answer.text())
                continue
            questions.nth(at).click()
            page.wait_for_selector("body[data-shown], #problem:not([hidden])", timeout=90_000)
            problem = "" if page.locator("#problem").is_hidden() else (
                page.locator("#problem").text_content()
            )  # fmt: skip
            assert not problem or NOBODY in problem, (question["en"], problem)
            assert page.locator("#process").input_value() == question["process"]

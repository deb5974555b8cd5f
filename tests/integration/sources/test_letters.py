"""Weekly letters to stewards, by a real mail server: what they say, and that each comes once."""

import csv
import io
import random
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import command_line
from gis.clock import HERE
from gis.database.engine import Database
from gis.errors import BadInput, Conflict, NotFound
from gis.jobs.kind import RunningJob
from gis.jobs.queue import Claim
from gis.notify.channels.mail import MailChannel, mail_server
from gis.notify.notification import Language
from layers.definition.catalogue import Catalogue
from layers.definition.reload import LayerFiles
from layers.jobs.kinds import job_kinds
from layers.jobs.letters import LETTERS, queue_letters
from layers.letters.sending import are_letters_due, compose, last_week, send_letters
from layers.letters.stewards import add_steward, end_steward, last_letters, stewards, week_of
from tests.acceptance.service import free_port
from tests.source_layers import FIELDS, Script, feed_layer, publish, run, station

DEPARTMENT = "Một"  # as the layers of tests name it
MONDAY = datetime(2031, 3, 10, 7, 0, tzinfo=HERE)  # on which letters are due
TWO = [("a@example.vn", Language.VI), ("b@example.vn", Language.EN)]


class Post:
    """Keeps the mail that it is sent, and takes none while it is busy or knows nobody."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.answer = "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server, session, envelope) -> str:
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def mail(post: Post) -> Iterator[MailChannel]:
    controller = Controller(post, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield MailChannel(mail_server(f"smtp://127.0.0.1:{controller.port}", "gis@example.vn"))
    finally:
        controller.stop()


@pytest.fixture
def emptied(database: Database) -> Database:
    with database.writing() as connection:
        connection.execute(text("DELETE FROM gis.letter"))
        connection.execute(text("DELETE FROM private.steward"))
    return database


@pytest.fixture
def published(emptied: Database) -> Catalogue:
    """A layer with a personal field, whose department has two stewards, of long ago."""
    fields = FIELDS | {"owner": {"type": "text", "personal": True}}
    published = publish(emptied, feed_layer(fields=fields))
    with emptied.writing() as connection:
        for address, language in TWO:
            add_steward(connection, published, DEPARTMENT, address, "tests", language)
        connection.execute(text("UPDATE private.steward SET created_at = '2020-01-01'"))
    return published


def loaded(database: Database, published: Catalogue, script: Script, inbox: Path, *records) -> None:
    """Records read from the source, in the week before MONDAY."""
    script.add(*records)
    assert run(database, published.layers[0], inbox).state == "complete"
    with database.writing() as connection:
        moment = {"at": MONDAY - timedelta(days=3)}
        connection.execute(text("UPDATE gis.load SET loaded_at = :at"), moment)


def written(message: EmailMessage) -> str:
    return message.get_body().get_content()


def test_the_letter_says_what_failed_how_good_the_data_are_and_has_the_file_to_correct(
    emptied, published, mail, post, script, inbox
):
    loaded(
        emptied, published, script, inbox, station(1, owner="Nguyễn Thị Kín"),
        station(2, level="mười", owner="Lò Văn Kín", phone="0912345678"), station(3, name=""),
    )  # fmt: skip
    assert send_letters(emptied, published, mail, MONDAY) == ["sent", "sent"]
    vi, en = sorted(post.messages, key=lambda each: each["To"])
    assert vi["Subject"] == "Dữ liệu tuần 03/03–09/03/2031: 1 lớp cần xem – Một"
    assert "bad_number: 1" in written(vi)
    assert "1 bản ghi chờ sửa: tệp mz.csv" in written(vi)
    assert "3 bản ghi (thêm 2, sửa 0, bỏ 0)" in written(vi)
    assert "đúng (giá trị hợp lệ) 66,7 % · đủ (ô có giá trị) 75,0 % · trùng 0,0 %" in written(vi)
    assert "1 layer needs a look" in en["Subject"]
    assert "validity 66.7 % · completeness 75.0 % · duplicates 0.0 %" in written(en)
    (file,) = vi.iter_attachments()
    assert file.get_filename() == "mz.csv"
    (row,) = csv.DictReader(io.StringIO(file.get_content().lstrip("\ufeff")))
    assert (row["code"], row["level"], row["reason"]) == ("S002", "mười", "bad_number")
    whole = post.messages[0].as_string() + file.get_content()
    assert "Kín" not in whole  # personal
    assert "0912345678" not in whole  # undeclared


def test_a_source_that_fails_or_is_late_is_named_whatever_it_loaded(emptied, published):
    with emptied.writing() as connection:
        connection.execute(text("UPDATE gis.source SET failures = 2, error = 'it answered 503'"))
        letter = compose(connection, published, DEPARTMENT, last_week(MONDAY), Language.VI)
        assert letter.needs_work
        assert "Nguồn đang lỗi: it answered 503" in letter.text
        assert "không có lần nạp nào trong tuần" in letter.text
        connection.execute(text("UPDATE gis.source SET missed_since = now()"))
        letter = compose(connection, published, DEPARTMENT, last_week(MONDAY), Language.EN)
    assert "The source is late." in letter.text
    assert "it answered 503" in letter.text


def test_a_letter_about_a_simulated_source_says_so_whatever_it_loaded(emptied):
    published = publish(emptied, feed_layer(simulated=True))
    with emptied.writing() as connection:
        connection.execute(text("UPDATE gis.source SET failures = 2, error = 'it answered 503'"))
        letter = compose(connection, published, DEPARTMENT, last_week(MONDAY), Language.VI)
    assert letter.subject.startswith("[MÔ PHỎNG] ")
    assert "CÓ DỮ LIỆU MÔ PHỎNG" in letter.text


@pytest.mark.parametrize(
    ("day", "monday"), [("2031-03-10", "2031-03-10"), ("2031-03-09", "2031-03-03")]
)
def test_a_week_is_that_of_a_day_that_has_come(day, monday):
    assert week_of(day, MONDAY.date()).isoformat() == monday


@pytest.mark.parametrize("day", ["2031-03-11", "9999-12-31"])
def test_a_week_that_is_still_to_come_has_no_letter(day):
    with pytest.raises(BadInput, match="up to 2031-03-10"):
        week_of(day, MONDAY.date())


def test_a_week_without_anything_to_correct_is_one_line_or_silence(
    emptied, published, mail, post, script, inbox
):
    loaded(emptied, published, script, inbox, station(1), station(2))
    assert send_letters(emptied, published, mail, MONDAY) == ["sent", "sent"]
    words = {written(message).strip() for message in post.messages}
    assert words == {
        "Tuần 03/03–09/03/2031: 2 bản ghi đã đến, không có gì phải sửa.",
        "03/03–09/03/2031: 2 records came, and nothing is to be corrected.",
    }
    post.messages.clear()
    later = MONDAY + timedelta(days=7)
    assert send_letters(emptied, published, mail, later, only_needed=True) == ["silent"] * 2
    assert send_letters(emptied, published, mail, later) == []  # and it stays silent
    assert post.messages == []


@pytest.mark.parametrize("seed", range(4))
def test_each_steward_has_one_letter_a_week_whatever_fails_and_starts_again(
    emptied, published, mail, post, seed
):
    draw, now = random.Random(seed), MONDAY - timedelta(hours=30)
    end = MONDAY + timedelta(days=20)
    while now < end:
        post.answer = draw.choice(["250 OK", "451 later", "451 later"])
        with emptied.writing() as connection:
            due = are_letters_due(connection, now)
        states = send_letters(emptied, published, mail, now)  # as another process would
        assert due == (states != [])
        now += timedelta(hours=draw.choice([1, 3, 9]))
    sent = [(message["To"], message["Subject"].split(":")[0]) for message in post.messages]
    assert len(sent) == len(set(sent)) == 2 * 4  # of the week before, and of three more
    assert len({message["Message-ID"] for message in post.messages}) == len(sent)


def test_two_processes_at_the_same_moment_send_one_letter(emptied, published, mail, post):
    class Twice(MailChannel):
        """Another process comes while the first one sends."""

        def hand_over(self, message, until) -> None:
            assert send_letters(emptied, published, mail, MONDAY) in (["sent"], [])
            super().hand_over(message, until)

    twice = Twice(mail.server)
    send_letters(emptied, published, twice, MONDAY)
    assert sorted(message["To"] for message in post.messages) == [each for each, _ in TWO]


def test_a_letter_that_cannot_be_sent_is_seen_and_an_address_that_is_none_is_given_up(
    emptied, published, mail, post
):
    assert send_letters(emptied, published, MailChannel(), MONDAY) == ["waiting", "waiting"]
    with emptied.writing() as connection:
        errors = {row["error"] for row in last_letters(connection, 10)}
    assert errors == {"no mail server: set GIS_SMTP_URL"}
    post.answer = "550 no such user"
    assert send_letters(emptied, published, mail, MONDAY + timedelta(hours=1)) == ["dead", "dead"]
    assert send_letters(emptied, published, mail, MONDAY + timedelta(days=5)) == []


@pytest.mark.parametrize(
    ("now", "week"),
    [
        (MONDAY, "2031-03-03"),
        (MONDAY - timedelta(seconds=1), "2031-02-24"),
        (MONDAY + timedelta(days=6, hours=23, minutes=59), "2031-03-03"),
    ],
)
def test_letters_are_due_on_monday_at_seven_in_vietnam(now, week):
    assert last_week(now.astimezone(UTC)).isoformat() == week


def test_who_becomes_a_steward_in_a_week_has_the_next_letter(emptied, published, mail, post):
    with emptied.writing() as connection:
        connection.execute(
            text("UPDATE private.steward SET created_at = :at WHERE address = 'a@example.vn'"),
            {"at": MONDAY + timedelta(minutes=1)},
        )
    assert send_letters(emptied, published, mail, MONDAY + timedelta(hours=1)) == ["sent"]
    assert send_letters(emptied, published, mail, MONDAY + timedelta(days=7)) == ["sent", "sent"]


def test_stewards_are_of_departments_that_there_are_and_end(emptied, published, mail, post):
    with emptied.writing() as connection, pytest.raises(NotFound, match="names the department"):
        add_steward(connection, published, "Mot", "c@example.vn", "tests")
    with emptied.writing() as connection, pytest.raises(BadInput, match="no mail address"):
        add_steward(connection, published, DEPARTMENT, "nobody", "tests")
    with emptied.writing() as connection, pytest.raises(Conflict):
        add_steward(connection, published, DEPARTMENT, "a@example.vn", "tests")
    with emptied.writing() as connection:
        end_steward(connection, DEPARTMENT, "a@example.vn")
    with emptied.writing() as connection, pytest.raises(NotFound):
        end_steward(connection, DEPARTMENT, "a@example.vn")
    assert send_letters(emptied, published, mail, MONDAY) == ["sent"]
    with emptied.writing() as connection:
        assert [each.address for each in stewards(connection)] == ["b@example.vn"]


def test_the_leader_queues_them_once_and_the_job_sends_them(emptied, published, mail, post, inbox):
    now = datetime.now(UTC)
    assert queue_letters(emptied, now)
    assert not queue_letters(emptied, now)  # it waits already
    files = LayerFiles(emptied, inbox, published)
    kind = job_kinds(emptied, files, mail=mail)[LETTERS]
    claim = Claim(1, LETTERS, {}, 1, 1)
    kind.run(RunningJob(emptied, claim, lambda progress, message: None))
    assert len(post.messages) == 2
    with emptied.writing() as connection:
        assert not are_letters_due(connection, now)


def test_addresses_of_stewards_are_hidden_from_readers(emptied, published):
    with emptied.reading() as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute(text("SELECT address FROM private.steward"))


PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "letters.md"
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("gis ")
]


def test_the_commands_of_the_page_run_as_they_stand(emptied, tmp_path, monkeypatch):
    monkeypatch.setenv("GIS_DATABASE_URL", emptied.url)
    monkeypatch.setenv("GIS_HOME", str(tmp_path))
    assert len(COMMANDS) == 6
    for words in COMMANDS:
        done = CliRunner().invoke(command_line(), words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        if words[1] == "show":
            assert "không có gì phải sửa – Sở Nông nghiệp và Môi trường" in done.output
    with emptied.writing() as connection:
        assert [each.address for each in stewards(connection)] == ["du-lieu@nnmt.example.vn"]
        assert last_letters(connection, 10) == []

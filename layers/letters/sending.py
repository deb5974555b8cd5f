"""Sending of letters: each steward has one a week, however often it is tried or restarted.

A letter is a row of its week and steward; it is sent in the transaction that says so. A service
that is killed in between sends it again under the same Message-ID, which mail programs know.
"""

import random
from datetime import date, datetime, time, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

import structlog
from sqlalchemy import Connection, text

from gis.clock import HERE
from gis.database.engine import Database
from gis.deadline import deadline
from gis.errors import NotDelivered, Undeliverable
from gis.notify.backoff import Backoff
from gis.notify.channels.mail import MailChannel
from gis.notify.notification import Language
from layers.definition.catalogue import Catalogue
from layers.letters.content import Letter, layer_weeks, letter_of
from layers.letters.stewards import Steward, departments, stewards

log = structlog.get_logger("letters")

_HOUR = 7  # of Monday, in Vietnam
# Of a mail server that is out of order for days; after that the next week's letter comes.
RETRYING = Backoff(40, timedelta(minutes=1), timedelta(hours=4))
_TIMEOUT_S = 25.0


def last_week(now: datetime) -> date:
    """The Monday of the last week about which letters are due."""
    here = now.astimezone(HERE) - timedelta(hours=_HOUR)
    return here.date() - timedelta(days=here.weekday() + 7)


def are_letters_due(connection: Connection, now: datetime) -> bool:
    """True where a steward has no letter about the last week yet, and it is not to wait."""
    return connection.scalar(_ARE_DUE, _values(now)) is not None


def send_letters(
    database: Database,
    catalogue: Catalogue,
    mail: MailChannel,
    now: datetime,
    *,
    only_needed: bool = False,
) -> list[str]:
    """Send the letters that are due; gives the state of each.

    `only_needed`: a week of which nothing is to be corrected has none.
    """
    with database.writing() as connection:
        connection.execute(_ENTER, _values(now))
        people = stewards(connection)
    states = []
    for steward in people:
        with database.writing() as connection:
            values = {"steward": steward.id, "week": last_week(now), "now": now}
            row = connection.execute(_TAKE, values).one_or_none()
            if row is None:  # it was sent, or somebody else sends it
                continue
            letter = compose(connection, catalogue, steward.department, row.week, steward.language)
            if only_needed and not letter.needs_work:
                state, wait, error = "silent", None, ""
            else:
                state, wait, error = _try(mail, steward, letter, str(row.key), row.attempts, now)
            result = {"state": state, "error": error, "due": now + (wait or timedelta(0))}
            connection.execute(_STORE, values | result)
        log.info("letter", department=steward.department, week=str(row.week), state=state)
        states.append(state)
    return states


def _try(
    mail: MailChannel, steward: Steward, letter: Letter, key: str, attempts: int, now: datetime
) -> tuple[str, timedelta | None, str]:
    """One attempt: its state, the time until the next one, and the error."""
    try:
        with deadline(_TIMEOUT_S) as until:
            sender = mail.server.sender if mail.server else ""
            mail.hand_over(letter_message(letter, steward, key, sender, now), until)
    except NotDelivered as error:
        wait = RETRYING.wait(attempts + 1, random.Random())
        if isinstance(error, Undeliverable):
            wait = None
        log.warning("letter not sent", department=steward.department, why=str(error))
        return ("waiting" if wait else "dead"), wait, str(error)[:500]
    return "sent", None, ""


def letter_message(
    letter: Letter, steward: Steward, key: str, sender: str, at: datetime
) -> EmailMessage:
    """The mail of a letter; its Message-ID is the letter's key at the sender's domain."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = steward.address
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = steward.language
    message.set_content(letter.text)
    for name, content in letter.files.items():
        message.add_attachment(
            content, maintype="text", subtype="csv", filename=name, params={"charset": "utf-8"}
        )
    return message


def compose(
    connection: Connection, catalogue: Catalogue, department: str, week: date, language: Language
) -> Letter:
    """The letter of a department about a week; without layers there is nothing to say in it."""
    weeks = layer_weeks(connection, departments(catalogue).get(department, []), week)
    return letter_of(department, weeks, week, language)


def _values(now: datetime) -> dict[str, object]:
    week = last_week(now)
    begun = datetime.combine(week + timedelta(days=7), time(_HOUR), HERE)
    return {"week": week, "begun": begun, "now": now}


# Who became a steward after a week's letters were due has none about it.
_ARE_DUE = text("""
SELECT s.id FROM private.steward s LEFT JOIN gis.letter l ON l.steward_id = s.id AND l.week = :week
WHERE s.ended_at IS NULL AND s.created_at < :begun
  AND (l.week IS NULL OR l.state = 'waiting' AND l.due_at <= :now)
LIMIT 1
""")
_ENTER = text("""
INSERT INTO gis.letter (week, steward_id, due_at)
SELECT :week, id, :now FROM private.steward WHERE ended_at IS NULL AND created_at < :begun
ON CONFLICT DO NOTHING
""")
_TAKE = text("""
SELECT week, key, attempts FROM gis.letter
WHERE steward_id = :steward AND week = :week AND state = 'waiting' AND due_at <= :now
FOR UPDATE SKIP LOCKED
""")
_STORE = text("""
UPDATE gis.letter SET state = :state, error = :error, due_at = :due,
  attempts = attempts + CASE WHEN :state = 'silent' THEN 0 ELSE 1 END,
  ended_at = CASE WHEN :state <> 'waiting' THEN now() END
WHERE steward_id = :steward AND week = :week
""")

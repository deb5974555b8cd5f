"""The errors that this service raises on purpose.

    GisError
    ├── BadInput            an input of a person or client cannot be used
    │   ├── BadLayerFile    a layer file has a fault; names file, line and the right word
    │   ├── BadFile         a data file cannot be read as what it claims to be
    │   ├── BadFilter       a filter is wrong or asks for something unsupported
    │   └── AmbiguousInput  the input has more than one reading; an option must choose
    ├── NotFound            a layer, unit, record or alert does not exist (or may not be seen)
    │   ├── NoSuchProcess   there is no process of that name
    │   ├── NoSuchJob       there is no execution of that id (or it may not be seen)
    │   └── ResultNotReady  an execution has no result yet
    ├── NotAllowed          the key may not do this
    │   └── NoKey           no key, or one that is unknown or revoked
    ├── TooMany             one client asks for too much at a time
    ├── Conflict            the state of the thing does not admit the act
    │   └── Superseded      a job was cancelled or taken up by another worker meanwhile
    ├── JobFailed           a job exceeded a limit, or met an unexpected error
    │   └── JobCrashed      the process that ran it ended by itself; another attempt may succeed
    ├── Unavailable         the database or another part cannot be reached, or is full
    ├── NotDelivered        a recipient did not take a notification; another attempt may succeed
    │   └── Undeliverable   the recipient will never take it, so no other attempt is made
    ├── SourceUnavailable   another system does not answer; another attempt may succeed
    │   └── SourceRefused       it will not, until somebody acts
    ├── NotPublished        the CAP document of an event has faults
    └── SetupError          the machine lacks something; the message says what to install

Each message says what was wrong and what would be right. Nothing secret is put into one.
"""

_PROCESSES = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"


class GisError(Exception):
    """Base of all errors raised on purpose; `str(error)` may be shown to a person."""

    exit_code = 1
    uri = "about:blank"  # of the kind of problem (RFC 9457), where a standard names one


class BadInput(GisError):
    """An input of a person or client cannot be used."""

    exit_code = 2


class BadLayerFile(BadInput):
    """A layer file has a fault."""


class BadFile(BadInput):
    """A data file cannot be read as what it claims to be."""


class BadFilter(BadInput):
    """A filter is wrong or asks for something unsupported."""


class AmbiguousInput(BadInput):
    """The input has more than one reading; nothing was stored until an option chooses one."""

    exit_code = 3


class NotFound(GisError):
    """A layer, unit, record or alert does not exist, or may not be seen with this key."""

    exit_code = 4


class NoSuchProcess(NotFound):
    """There is no process of that name."""

    uri = f"{_PROCESSES}/no-such-process"


class NoSuchJob(NotFound):
    """There is no execution of that id, or it may not be seen with this key."""

    uri = f"{_PROCESSES}/no-such-job"


class ResultNotReady(NotFound):
    """An execution has no result yet."""

    uri = f"{_PROCESSES}/result-not-ready"


class NotAllowed(GisError):
    """The key may not do this."""

    exit_code = 5


class NoKey(NotAllowed):
    """No key was given, or it is unknown or revoked."""


class Conflict(GisError):
    """The state of the thing does not admit the act."""

    exit_code = 6


class Superseded(Conflict):
    """A job was cancelled, or taken up by another worker: its result must not be stored."""


class JobFailed(GisError):
    """A job met an unexpected error, or exceeded its limit of memory or time."""


class JobCrashed(JobFailed):
    """The process that ran a job ended by itself; another attempt may succeed."""


class TooMany(GisError):
    """One client asks for too much at a time."""


class Unavailable(GisError):
    """The database or another part cannot be reached, or has no room left."""

    exit_code = 7


class NotDelivered(GisError):
    """A recipient did not take a notification; another attempt may succeed.

    The message is stored with the delivery and shown to operators.
    """


class Undeliverable(NotDelivered):
    """The recipient will never take it, so no other attempt is made."""


class SourceUnavailable(GisError):
    """A system whose records are read does not answer as it should; another attempt may succeed.

    `retry_after_s`: how long it asks to be left alone.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceRefused(SourceUnavailable):
    """The system will not give its records until somebody acts, as when a secret has expired."""


class NotPublished(GisError):
    """The CAP document of an event has faults, which the message names."""


class SetupError(GisError):
    """The machine lacks something that is needed; the message says what to install."""

    exit_code = 8

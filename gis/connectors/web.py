"""Options and client that all connectors over HTTP share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import Field

from gis.connectors.connector import (
    Batch,
    Connector,
    ConnectorOptions,
    Cursor,
    Record,
    Surroundings,
)
from gis.connectors.http_client import HttpClient, SourceRequest, check_source_url
from gis.connectors.login import LoginOptions
from gis.connectors.redaction import Redactor
from gis.connectors.templates import TemplateValues, named_secrets
from gis.errors import BadInput, SourceRefused

RECORDS = 2_000  # of a batch
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "te"})


class WebOptions(ConnectorOptions):
    """Options of each connector over HTTP."""

    url: str = Field(description="Address; `{secret:NAME}` may stand in it")
    headers: dict[str, str] = Field(
        {}, description="Headers of each request, such as `x-api-key: '{secret:NAME}'`"
    )
    login: LoginOptions | None = Field(
        None, description="How to log in: `kind: basic` or `kind: oauth2`; unset: not at all"
    )
    may_be_empty: bool = Field(
        False,
        description="An answer without records is whole: nothing is there any more, as when all "
        "warnings have ended. Else it is taken for a fault, and no record for deleted",
    )


class WebConnector[O: WebOptions](Connector[O]):
    """A connector over HTTP, with its client and the values of its templates."""

    def __init__(self, options: O, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        known = named_secrets(options, surroundings.secrets)
        self.values = TemplateValues(known)
        self.redactor = Redactor(known.values())
        self._secrets = known
        for name in options.headers:
            if name.lower() in _OWN_HEADERS:
                raise BadInput(f"headers.{name}: this header cannot be set")
        self.headers = {k: self.values.filled(v) for k, v in options.headers.items()}
        self.url = self.values.filled_url(options.url).rstrip("?")
        check_source_url(self.url)
        login = options.login.authorization(self.values) if options.login else None
        self.client = HttpClient(surroundings, self.url, self.redactor, login)

    def close(self) -> None:
        self.client.close()

    def request(self, url: str, query: Mapping[str, str] | None = None) -> SourceRequest:
        """A GET with the headers of the options; `query` is added to that of the URL."""
        return SourceRequest(with_query(url, query or {}), headers=self.headers)

    def form_request(self, url: str, form: Mapping[str, str]) -> SourceRequest:
        headers = self.headers | {"Content-Type": "application/x-www-form-urlencoded"}
        return SourceRequest(url, "POST", headers, urlencode(form).encode())

    def stored_link(self, link: str) -> str:
        """A link of the server as a cursor may hold it: by the names of the secrets in it."""
        for name, value in self._secrets.items():
            for form in {value, urlencode({"": value})[1:]}:
                link = link.replace(form, f"{{secret:{name}}}")
        return link


@dataclass(frozen=True, slots=True)
class LinkedPage:
    """A page that names the next one, and how many records there are in all, where it says so."""

    records: Sequence[Record]
    link: str | None
    total: int | None
    names: str  # of its records: a page of the same names is the same page


def read_linked(
    connector: WebConnector[Any],
    cursor: Cursor,
    first_url: str,
    page_at: Callable[[str], LinkedPage],
    changed: Callable[[Record], Any] | None,
) -> Iterator[Batch]:
    """Batches of pages that name each the next one, from the first or from where a cursor is.

    `changed` gives the time of a record, of which the greatest becomes `since`: a later reading
    is then one of changes alone. Raises SourceRefused for links in a circle.
    """
    since, link = cursor.get("since"), cursor.get("link")
    newest, count = cursor.get("newest") or since, int(cursor.get("count", 0))
    url = first_url if link is None else connector.values.filled_url(link)
    places, names = {url}, set[str]()
    page = page_at(url)
    while True:
        count += len(page.records)
        if changed is not None:
            newest = greatest(map(changed, page.records), newest)
        if not page.link:
            break
        url = connector.client.next_url(url, str(page.link))
        if url in places or (page.records and page.names in names):
            raise SourceRefused("the links to the next page lead in a circle")
        places.add(url)
        names.add(page.names)
        after = {"link": connector.stored_link(url), "count": count, "newest": newest}
        yield Batch(page.records, without_none(after | {"since": since}))
        page = page_at(url)
    is_whole = (
        (changed is None or since is None)
        and (count > 0 or connector.options.may_be_empty)
        and (page.total is None or count >= page.total)
    )
    yield Batch(page.records, without_none({"since": newest}), ends_whole=is_whole)


def without_none(cursor: dict[str, Any]) -> dict[str, Any]:
    """A cursor without what is not there."""
    return {name: value for name, value in cursor.items() if value not in (None, {})}


def with_query(url: str, query: Mapping[str, str]) -> str:
    """A URL whose query has these members too; they replace those of the same name."""
    if not query:
        return url
    parts = urlsplit(url)
    members = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k not in query]
    return urlunsplit(parts._replace(query=urlencode([*members, *query.items()])))


def in_batches(
    records: Iterable[Record], before: Cursor, after: Cursor, *, ends_whole: bool
) -> Iterator[Batch]:
    """Records of one answer as batches; all but the last lead back to where the answer began."""
    batch: list[Record] = []
    for record in records:
        if len(batch) == RECORDS:
            yield Batch(batch, before)
            batch = []
        batch.append(record)
    yield Batch(batch, after, ends_whole=ends_whole)


def greatest(values: Iterable[Any], so_far: str | None) -> str | None:
    """The greatest of values that sort as texts or as numbers, and of one that was so before."""
    for value in values:
        if value is None or isinstance(value, bool | list | dict):
            continue
        if so_far is None or _is_greater(value, so_far):
            so_far = str(value)
    return so_far


def _is_greater(value: Any, other: str) -> bool:
    try:
        return float(value) > float(other)
    except ValueError:
        return str(value) > other

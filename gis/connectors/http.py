"""Connector of HTTP: lists of records as JSON, XML, CSV or a table of a page, page by page."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import orjson
from pydantic import Field, model_validator

from gis.connectors.connector import Batch, ConnectorOptions, Cursor, Record
from gis.connectors.documents import (
    csv_records,
    html_records,
    json_document,
    json_records,
    xml_records,
)
from gis.connectors.http_client import SourceAnswer, SourceRequest
from gis.connectors.templates import TemplateValues, member
from gis.connectors.web import WebConnector, WebOptions, greatest, in_batches, without_none
from gis.errors import SourceRefused

_MOST_PAGES = 100_000
_NOT_MODIFIED = 304
_LINK = re.compile(r'<([^>]+)>\s*;[^,]*\brel\s*=\s*"?next\b', re.I)


class NumberedPages(ConnectorOptions):
    """Pages by their number."""

    style: Literal["number"] = Field(description="A parameter is the number of the page")
    parameter: str = Field("page", description="Its name")
    first: int = Field(1, description="Number of the first page")
    size_parameter: str | None = Field(None, description="Parameter of the records of a page")
    size: int | None = Field(None, ge=1, description="Records of a page; a shorter one is the last")


class OffsetPages(ConnectorOptions):
    """Pages by the number of records before them."""

    style: Literal["offset"] = Field(description="A parameter is the number of records before")
    parameter: str = Field("offset", description="Its name")
    size_parameter: str | None = Field("limit", description="Parameter of the records of a page")
    size: int = Field(1_000, ge=1, description="Records of a page; a shorter one is the last")


class LinkedPages(ConnectorOptions):
    """Pages that name the next one."""

    style: Literal["link"] = Field(description="Each page has the address of the next")
    path: str | None = Field(None, description="Where it stands; unset: in the header `Link`")


class TokenPages(ConnectorOptions):
    """Pages that give a token for the next one."""

    style: Literal["token"] = Field(description="Each page has a token for the next")
    parameter: str = Field(description="Parameter in which it is sent back")
    path: str = Field(description="Where it stands in the answer")


type PageOptions = Annotated[
    NumberedPages | OffsetPages | LinkedPages | TokenPages, Field(discriminator="style")
]


class ChangeOptions(ConnectorOptions):
    """Reading of what changed since the last reading alone."""

    column: str = Field(description="Path of the member of a record that says when it changed")
    first: str = Field(description="Value of `{since}` at the first reading")


class DetailOptions(ConnectorOptions):
    """One more request for each record, whose answer becomes a member of it."""

    url: str = Field(description="Address, with `{record:PATH}`")
    form: dict[str, str] | None = Field(None, description="Members of a form; unset: a GET")
    member: str = Field("detail", description="Name of the member that the answer becomes")


class HttpFeedOptions(WebOptions):
    """Options of `connector: http`."""

    format: Literal["json", "xml", "csv", "html"] = Field("json", description="Form of the answer")
    records: str = Field(
        "",
        description="Path of the records, such as `data.items`; `*` is each member; XML: of local "
        "names below the root; empty: the whole answer",
    )
    method: Literal["GET", "POST"] | None = Field(
        None, description="Unset: POST where there is a form or a body, else GET"
    )
    query: dict[str, str] = Field({}, description="Members of the query; templates")
    form: dict[str, str] | None = Field(None, description="Members of a form; templates")
    body: dict[str, Any] | None = Field(None, description="Body of JSON; its texts are templates")
    pages: PageOptions | None = Field(None, description="How the answer is divided")
    total: str | None = Field(
        None, description="Path of the number of all records: fewer are no whole reading"
    )
    check: dict[str, list[str]] = Field(
        {}, description="Values that members must have, by path, where faults come with status 200"
    )
    changes: ChangeOptions | None = Field(None, description="How to read changes alone")
    detail: DetailOptions | None = Field(None, description="A request more for each record")
    encoding: str | None = Field(None, description="Encoding of the answer, where it says none")
    delimiter: str | None = Field(None, max_length=1, description="Of CSV; unset: as it seems")
    table: int = Field(1, ge=1, description="Number of the table of a page of HTML")

    @model_validator(mode="after")
    def _fits(self) -> "HttpFeedOptions":
        if self.form is not None and self.body is not None:
            raise ValueError("it has `form` and `body`: give one of them")
        if self.method == "GET" and (self.form is not None or self.body is not None):
            raise ValueError("a GET has no `form` or `body`: take `query`, or leave `method` out")
        if self.format != "json":
            needed = [
                name for name, value in (("check", self.check), ("total", self.total)) if value
            ]
            if isinstance(self.pages, TokenPages) or (
                isinstance(self.pages, LinkedPages) and self.pages.path
            ):
                needed.append("pages")
            if needed:
                raise ValueError(f"`{needed[0]}` looks into JSON, and the format is {self.format}")
        return self


class HttpConnector(WebConnector[HttpFeedOptions]):
    """Records of a list that another system gives by HTTP.

    The cursor of a reading under way is the next page; that of a finished one has what tells the
    server or us that nothing is new: its validators, and the digest of its last answer.
    """

    name = "http"
    label = "HTTP: JSON, XML, CSV or a table of HTML"
    Options = HttpFeedOptions

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        changes = self.options.changes
        since = cursor.get("since") or (changes.first if changes else None)
        self.values = TemplateValues(self._secrets, since)
        pages = self.options.pages
        if pages is None:
            yield from self._one(cursor)
            return
        yield from self._paged(cursor)

    def _one(self, cursor: Cursor) -> Iterator[Batch]:
        """The only page; none where the server or the answer itself says that nothing is new."""
        request = self._request({}, cursor.get("validators", {}))
        with self.client.answer(request, frozenset({_NOT_MODIFIED})) as answer:
            if answer.status == _NOT_MODIFIED and not cursor.get("validators"):
                raise SourceRefused("the server answered 304 to a reading from the beginning")
            if answer.status == _NOT_MODIFIED:
                return
            digest = _digest(answer)
            if digest == cursor.get("digest"):
                return
            _, records = self._parsed(answer)
            seen = _Seen(self.options, records, cursor.get("since"))
            whole = self.options.changes is None
            batches = in_batches(self._detailed(seen), cursor, {}, ends_whole=whole)
            for batch in batches:
                if batch.cursor is cursor:
                    yield batch
                    continue
                after = {"digest": digest, "validators": _validators(answer), "since": seen.newest}
                is_whole = batch.ends_whole and (seen.count > 0 or self.options.may_be_empty)
                yield Batch(batch.records, without_none(after), is_whole)

    def _paged(self, cursor: Cursor) -> Iterator[Batch]:
        """Pages from where a reading was left; a page that came before is a loop."""
        pages = self.options.pages
        at: Any = cursor.get("at")
        count, newest = int(cursor.get("count", 0)), cursor.get("newest", cursor.get("since"))
        digests, places = set[bytes](), {str(at)}
        for _ in range(_MOST_PAGES):
            before = without_none(
                {"at": at, "count": count, "newest": newest, "since": cursor.get("since")}
            )
            with self.client.answer(self._request(self._place(at), {}, at)) as answer:
                about, records = self._parsed(answer)
                seen = _Seen(self.options, records, newest)
                chunks = list(in_batches(self._detailed(seen), before, {}, ends_whole=False))
                digest = _digest(answer)
                if digest in digests and seen.count:
                    raise SourceRefused(
                        "a page came a second time: the server does not take the parameter of "
                        "`pages`, or its pages lead in a circle"
                    )
                digests.add(digest)
                count, newest = count + seen.count, seen.newest
                total = _number(member(about, self.options.total) if self.options.total else None)
                at = self._next(at, answer, about, seen.count, count, total)
            if at is not None and str(at) in places:
                raise SourceRefused(
                    "a page names one before it as the next: its pages lead in a circle"
                )
            places.add(str(at))
            yield from chunks[:-1]
            if at is None:
                whole = self.options.changes is None and (count > 0 or self.options.may_be_empty)
                is_short = total is not None and count < total
                yield Batch(
                    chunks[-1].records, without_none({"since": newest}), whole and not is_short
                )
                return
            after = {"at": at, "count": count, "newest": newest, "since": cursor.get("since")}
            yield Batch(chunks[-1].records, without_none(after))
        raise SourceRefused(f"{pages!r} leads to more than {_MOST_PAGES} pages")

    def _place(self, at: Any) -> dict[str, str]:
        """The parameters of the page at a place; None: the first."""
        pages = self.options.pages
        match pages:
            case NumberedPages():
                place = {pages.parameter: str(pages.first if at is None else at)}
            case OffsetPages():
                place = {pages.parameter: str(at or 0)}
            case TokenPages():
                return {} if at is None else {pages.parameter: str(at)}
            case _:
                return {}
        if pages.size_parameter and pages.size:
            place[pages.size_parameter] = str(pages.size)
        return place

    def _next(
        self,
        at: Any,
        answer: SourceAnswer,
        about: Mapping[str, Any],
        here: int,
        count: int,
        total: int | None,
    ) -> Any:
        """The place of the page after this one; None where it is the last."""
        pages = self.options.pages
        is_last = here == 0 or (total is not None and count >= total)
        match pages:
            case NumberedPages():
                is_last = is_last or (pages.size is not None and here < pages.size)
                return None if is_last else (pages.first if at is None else int(at)) + 1
            case OffsetPages():
                return None if is_last or here < pages.size else int(at or 0) + here
            case TokenPages():
                token = member(about, pages.path)
                return token if token not in (None, "", False) else None
            case LinkedPages(path=None):
                found = _LINK.search(answer.headers.get("link", ""))
                link: Any = found[1] if found else None
            case LinkedPages(path=path):
                link = member(about, path or "")
            case _:
                return None
        if not link:
            return None
        return self.stored_link(self.client.next_url(self.url, str(link)))

    def _request(
        self, place: dict[str, str], validators: dict[str, str], at: Any = None
    ) -> SourceRequest:
        options = self.options
        if isinstance(options.pages, LinkedPages) and at is not None:
            return SourceRequest(self.values.filled_url(str(at)), headers=self.headers)
        query = {name: self.values.filled(text) for name, text in options.query.items()}
        if options.form is not None:
            form = {name: self.values.filled(text) for name, text in options.form.items()}
            body = urlencode(form | place).encode()
            kind = "application/x-www-form-urlencoded"
        elif options.body is not None:
            body = orjson.dumps(self.values.filled_json(options.body) | place)
            kind = "application/json"
        else:
            url = self.request(self.url, query | place).url
            return SourceRequest(url, options.method or "GET", self.headers | validators)
        url = self.request(self.url, query).url
        headers = self.headers | {"Content-Type": kind}
        return SourceRequest(url, "POST", headers, body)

    def _parsed(self, answer: SourceAnswer) -> tuple[Mapping[str, Any], Iterator[Record]]:
        options = self.options
        match options.format:
            case "xml":
                return {}, xml_records(answer, options.records)
            case "csv":
                return {}, csv_records(answer, options.encoding, options.delimiter)
            case "html":
                return {}, html_records(answer, options.table, options.encoding)
        if options.check:
            document = json_document(answer, options.encoding)
            for path, accepted in options.check.items():
                value = member(document, path)
                text = "true" if value is True else "false" if value is False else str(value)
                if text not in accepted:
                    said = self.redactor.quote(orjson.dumps(document).decode())
                    raise SourceRefused(f"the answer has {path} = {text[:60]!r}: {said}")
        return json_records(answer, options.records, options.encoding)

    def _detailed(self, records: Iterator[Record]) -> Iterator[Record]:
        detail = self.options.detail
        if detail is None:
            yield from records
            return
        for record in records:
            values = TemplateValues(self._secrets, self.values.since, record)
            url = self.client.next_url(self.url, values.filled_url(detail.url))
            if detail.form is None:
                request = SourceRequest(url, headers=self.headers)
            else:
                form = {name: values.filled(text) for name, text in detail.form.items()}
                request = self.form_request(url, form)
            with self.client.answer(request) as answer:
                yield {**record, detail.member: json_document(answer, self.options.encoding)}


class _Seen:
    """Records that are counted as they pass, with the greatest value of the column of changes."""

    def __init__(
        self, options: HttpFeedOptions, records: Iterator[Record], newest: str | None
    ) -> None:
        self._records = records
        self._column = options.changes.column if options.changes else None
        self.count = 0
        self.newest = newest

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        record = next(self._records)
        self.count += 1
        if self._column is not None:
            self.newest = greatest([member(record, self._column)], self.newest)
        return record


def _digest(answer: SourceAnswer) -> Any:
    answer.file.seek(0)
    digest = sha256()
    while chunk := answer.file.read(2**20):
        digest.update(chunk)
    answer.file.seek(0)
    return digest.hexdigest()


def _validators(answer: SourceAnswer) -> dict[str, str]:
    """Headers of the next request, by which the server may say that nothing has changed."""
    headers = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    return {ask: answer.headers[said] for said, ask in headers.items() if said in answer.headers}


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None

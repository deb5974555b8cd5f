"""Options that answer questions about a file (AmbiguousInput), the same at each command."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from layers.ingest.records import FileOptions

AssumedCrs = Annotated[
    str | None, typer.Option(help="The CRS of the coordinates, whatever the file says")
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        help="How dates are written: day-first, month-first, excel, epoch-s, epoch-ms, buddhist, "
        "iso, or a form such as %d/%m/%Y"
    ),
]
NumberFormat = Annotated[str | None, typer.Option(help="decimal_comma or decimal_point")]
Encoding = Annotated[
    str | None, typer.Option(help="The encoding of the text, for example tcvn3 or vni")
]
Table = Annotated[str | None, typer.Option(help="One of several sheets, tables, or files of a zip")]
HeaderRow = Annotated[
    str | None,
    typer.Option(help="The row that names the columns, for example 4, or 4-5 for names in two"),
]
FooterRows = Annotated[
    int | None, typer.Option(min=0, help="Rows at the end that are no records, blank ones too")
]
Delimiter = Annotated[
    str | None, typer.Option(help="The sign between the fields of delimited text: ; or | or tab")
]


def file_answers(
    *,
    assume_crs: str | None,
    date_format: str | None,
    number_format: str | None,
    encoding: str | None = None,
    table: str | None = None,
    header_row: str | None = None,
    footer_rows: int | None = None,
    delimiter: str | None = None,
) -> "FileOptions":
    """The options as answers to the questions about a file. Raises BadInput."""
    from gis.intake.layout import parse_layout
    from layers.ingest.records import FileOptions

    return FileOptions(
        crs=assume_crs,
        encoding=encoding,
        table=table,
        date_format=date_format,
        number_format=number_format,
        layout=parse_layout(header_row, footer_rows, delimiter),
    )

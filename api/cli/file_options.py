"""Options that answer questions about a file (AmbiguousInput), the same at each command."""

from typing import Annotated

import typer

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

"""The input of a run as bytes: Parquet, so that it can be stored and read again exactly."""

import hashlib
import io

import pandas as pd
import pyarrow as pa
from pyarrow import parquet


def pack(frame: pd.DataFrame) -> bytes:
    """Equal frames give equal bytes, of one version of pyarrow."""
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def unpack(content: bytes) -> pd.DataFrame:
    frame: pd.DataFrame = parquet.read_table(io.BytesIO(content)).to_pandas()
    return frame


def digest_of(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()

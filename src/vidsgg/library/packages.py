"""The libraries behind a library of graphs, or a message that says how to get them."""

from __future__ import annotations

from vidsgg.errors import ConfigError

try:
    import duckdb as duckdb
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ImportError as error:
    raise ConfigError(
        f"a library of graphs needs {error.name}, which is not installed: pip install 'vidsgg[library]'."
    ) from error

__all__ = ["duckdb", "pa", "pc", "pq"]

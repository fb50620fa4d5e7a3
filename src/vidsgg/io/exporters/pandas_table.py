"""A pandas table, for Python."""

from __future__ import annotations

from typing import Any

from vidsgg.errors import ConfigError
from vidsgg.io.exporters.table import COLUMNS, rows
from vidsgg.structures.graph import VideoGraph


def to_pandas(graph: VideoGraph) -> Any:
    """A row for every relation of every frame, with the columns ``COLUMNS`` of the CSV; what is not
    known is missing (NaN).

    Raises ConfigError if pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ConfigError("pandas is not installed; install it with: pip install vidsgg[notebook]") from error
    return pandas.DataFrame(list(rows(graph)), columns=list(COLUMNS))

"""The findings as Apache Parquet: typed columns, and which model and run they are of in the schema's metadata."""

from __future__ import annotations

import io
import json

from rmaudit.errors import UsageError
from rmaudit.reporting import table, text
from rmaudit.reporting.report import SCHEMA, Report


def render(report: Report) -> bytes:
    """Render the findings, one row each.

    Raises:
        UsageError: when pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed. Install it (pip install 'rmaudit[parquet]'), or write"
            " --format csv."
        ) from None
    types = {str: pyarrow.string(), bool: pyarrow.bool_(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema(
        [(column.name, types[column.type]) for column in table.columns()], metadata=_metadata(report)
    )
    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(table.rows(report), schema=schema), stream)
    return stream.getvalue()


def _metadata(report: Report) -> dict[str, str]:
    settings = report.settings
    facts = {
        "schema": SCHEMA,
        "model": report.model.source,
        "model_sha256": report.model.identity,
        "run": report.run.id,
        "finished": report.run.finished,
        "command": report.run.command,
        "tier": settings.tier,
        "seed": str(settings.seed),
        "policy": f"{settings.policy} version {settings.policy_version}",
        "suite_sha256": json.dumps(
            {text.one_line(suite): text.one_line(digest) for suite, digest in settings.suite_sha256.items()}
        ),
    }
    return {f"rmaudit.{name}": text.one_line(value) for name, value in facts.items()}

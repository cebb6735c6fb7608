"""Reports: CSV files (RFC 4180) of users or payments that were made in some days, in UTC."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

from psycopg import Connection, sql

_TABLES = {
    "USERS": ("users", ("id", "email", "name", "company", "email_verified", "created_at")),
    "PAYMENTS": ("payments", ("id", "customer_id", "amount", "currency", "status", "description", "created_at")),
}

_BATCH = 1000
_WHEN = sql.SQL(
    "created_at >= (%(start_date)s::date)::timestamp AT TIME ZONE 'UTC' "
    "AND created_at < (%(end_date)s::date + 1)::timestamp AT TIME ZONE 'UTC'"
)


@dataclass(frozen=True)
class Report:
    """What a report is about."""

    report_type: str
    """USERS or PAYMENTS."""
    start_date: str
    """The first day, such as 2026-01-31."""
    end_date: str
    """The last day."""


def count(conn: Connection[Any], report: Report) -> int:
    """Return how many rows the report would have now."""
    table, _ = _TABLES[report.report_type]
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier("public", table), _WHEN)
    ((rows,),) = conn.execute(query, vars(report)).fetchall()
    return int(rows)


def write(conn: Connection[Any], report: Report, out: BinaryIO, step: Callable[[int, int], None]) -> None:
    """Write the report, in the transaction of conn. step is told how many of how many rows are written."""
    total, done = count(conn, report), 0
    table, columns = _TABLES[report.report_type]
    query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY created_at, id").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier("public", table), _WHEN
    )
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    lines = csv.writer(text)
    lines.writerow(columns)
    step(0, total)
    # A cursor of the server's: the rows are never all in memory.
    with conn.cursor(name="report") as cursor:
        cursor.execute(query, vars(report))
        while rows := cursor.fetchmany(_BATCH):
            lines.writerows([_cell(value) for value in row] for row in rows)
            done += len(rows)
            step(done, total)
    text.detach()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = str(value)
    # A spreadsheet would run what begins so as a formula.
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text

"""The action generateReport."""

from __future__ import annotations

import logging
import math
from datetime import date

from actions.deps import Deps
from actions.types_gen import (
    GenerateReportArgs,
    GenerateReportOutput,
    JobStatus,
    ReportInput,
    ValidationError,
)
from service import errors
from service.action import Request
from service.job_work import JobWork, Run
from service.reports import Report, count, write
from service.storage import storage

log = logging.getLogger(__name__)

KIND = "report"

_MAX_DAYS = 366

_ROWS_PER_SECOND = 10_000


class GenerateReportHandler:
    """Queues a report and answers at once; the report is written in the background."""

    def __init__(self, deps: Deps) -> None:
        self._db = deps.db
        self._unauthorized_role = deps.config.unauthorized_role
        self._storage = deps.part(storage)
        self._work = deps.part(JobWork)
        self._work.register(KIND, self._write)

    def handle(self, req: Request[GenerateReportArgs]) -> GenerateReportOutput:
        """Queue a report."""
        owner = req.session.signed_in(self._unauthorized_role)
        given = req.args.input.model_copy(
            update={"start_date": req.args.input.start_date.strip(), "end_date": req.args.input.end_date.strip()}
        )
        if faults := _faults(given):
            return GenerateReportOutput(
                success=False, message="Validation failed", errors=faults, error_code=errors.VALIDATION
            )
        report = Report(str(given.report_type), given.start_date, given.end_date)
        self._work.prepare()
        with self._db.connection() as conn, conn.transaction():
            rows = count(conn, report)
            job = self._work.add(conn, KIND, owner, vars(report))
        log.info("report queued", extra={"job_id": job.id, "report_type": report.report_type})
        return GenerateReportOutput(
            success=True,
            job_id=job.id,
            status=JobStatus.QUEUED,
            estimated_duration=max(1, math.ceil(rows / _ROWS_PER_SECOND)),
            message="Report queued",
        )

    def _write(self, run: Run) -> str:
        report = Report(**run.job.payload)
        key = f"{run.job.id}/report.csv"
        with (
            run.failing("The report could not be generated"),
            self._storage.create(key, "text/csv") as out,
            self._db.connection() as conn,
            conn.transaction(),
        ):
            write(conn, report, out, run.step)
        return key


def _faults(given: ReportInput) -> list[ValidationError]:
    start, end = _date(given.start_date), _date(given.end_date)
    found = []
    if not given.report_type:
        found = [ValidationError(field="report_type", code=errors.REQUIRED, message="Report type is required")]
    found += [
        ValidationError(field=field, code=errors.FORMAT, message=f"{label} must be a date such as 2026-01-31")
        for field, label, value in (("start_date", "Start date", start), ("end_date", "End date", end))
        if value is None
    ]
    if start is None or end is None:
        return found
    if end < start:
        found.append(
            ValidationError(field="end_date", code=errors.RANGE, message="End date must not be before the start date")
        )
    elif (end - start).days >= _MAX_DAYS:
        found.append(
            ValidationError(field="end_date", code=errors.RANGE, message=f"A report covers at most {_MAX_DAYS} days")
        )
    return found


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else None
    except ValueError:
        return None

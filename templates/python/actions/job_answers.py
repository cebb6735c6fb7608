"""What jobStatus and cancelJob answer."""

from __future__ import annotations

from datetime import UTC, datetime

from actions.types_gen import JobStatus, JobStatusOutput
from service import errors
from service.jobs import Job


def no_such_job() -> JobStatusOutput:
    """Answer for a job that is not there, or not the caller's."""
    return JobStatusOutput(success=False, message="No such job", error_code=errors.NOT_FOUND)


_MESSAGES = {
    JobStatus.QUEUED: "Job is queued",
    JobStatus.RUNNING: "Job is running",
    JobStatus.SUCCEEDED: "Job succeeded",
    JobStatus.FAILED: "Job failed",
    JobStatus.CANCELLED: "Job was cancelled",
}


def describe(job: Job) -> JobStatusOutput:
    """Answer with what the table tells of a job."""
    return JobStatusOutput(
        success=True,
        message=_MESSAGES[JobStatus(job.status)],
        job_id=job.id,
        kind=job.kind,
        status=JobStatus(job.status),
        progress=job.progress,
        attempts=job.attempts,
        error=job.error,
        created_at=_time(job.created_at),
        finished_at=_time(job.finished_at) if job.finished_at else None,
    )


def _time(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The action cancelJob."""

from __future__ import annotations

import logging

from actions.deps import Deps
from actions.job_answers import describe, no_such_job
from actions.types_gen import CancelJobArgs, JobStatusOutput
from service.action import Request
from service.jobs import Jobs

log = logging.getLogger(__name__)

ALREADY_FINISHED = "ALREADY_FINISHED"


class CancelJobHandler:
    """Stops a job that has not finished."""

    def __init__(self, deps: Deps) -> None:
        self._jobs = Jobs(deps.db)
        self._unauthorized_role = deps.config.unauthorized_role

    def handle(self, req: Request[CancelJobArgs]) -> JobStatusOutput:
        """Cancel a job. A worker that is at it leaves off at its next step."""
        req.session.signed_in(self._unauthorized_role)
        job = self._jobs.find(req.args.job_id)
        if job is None or not req.session.may_see(job.user_id):
            return no_such_job()
        if cancelled := self._jobs.cancel(job.id):
            log.info("job cancelled", extra={"job_id": job.id})
            return describe(cancelled)
        answer = describe(self._jobs.find(job.id) or job)
        answer.success, answer.message, answer.error_code = False, "Job has already finished", ALREADY_FINISHED
        return answer

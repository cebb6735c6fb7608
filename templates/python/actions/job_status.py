"""The action jobStatus."""

from __future__ import annotations

from actions.deps import Deps
from actions.job_answers import describe, no_such_job
from actions.types_gen import JobStatusArgs, JobStatusOutput
from service.action import Request
from service.jobs import SUCCEEDED, Jobs
from service.storage import storage


class JobStatusHandler:
    """Tells how far a job is and where its result lies, whatever runtime works on it."""

    frequent = True

    def __init__(self, deps: Deps) -> None:
        self._jobs = Jobs(deps.db)
        self._unauthorized_role = deps.config.unauthorized_role
        self._storage = deps.part(storage)

    def handle(self, req: Request[JobStatusArgs]) -> JobStatusOutput:
        """Tell about a job."""
        req.session.signed_in(self._unauthorized_role)
        job = self._jobs.find(req.args.job_id)
        if job is None or not req.session.may_see(job.user_id):
            return no_such_job()
        answer = describe(job)
        if job.status == SUCCEEDED and job.result_key:
            answer.result_url = self._storage.url(job.result_key)
        return answer

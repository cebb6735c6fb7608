"""What the action cancelJob promises."""

from __future__ import annotations

from service.jobs import Jobs
from service.store import Database
from tests.conftest import Service
from tests.jobs import ADA, BOB, add_job, by


def test_cancels(service: Service, db: Database) -> None:
    """Waiting or begun, the job is cancelled at once; who works on it finds out."""
    for begun in (False, True):
        job_id = add_job(service, "report", ADA)
        job = Jobs(db).claim(job_id) if begun else None
        _, got = service.post("cancel-job", by(ADA, {"job_id": job_id}))
        assert (got["success"], got["status"], got["error_code"]) == (True, "CANCELLED", None)
        assert got["finished_at"] is not None
        assert Jobs(db).claim(job_id) is None
        if job:
            assert not Jobs(db).progress(job, 50)
            assert not Jobs(db).succeed(job, "key")
        _, got = service.post("cancel-job", by(ADA, {"job_id": job_id}))
        assert (got["success"], got["status"], got["error_code"]) == (False, "CANCELLED", "ALREADY_FINISHED")


def test_whose(service: Service) -> None:
    job_id = add_job(service, "report", ADA)
    for user_id, wanted in ((BOB, job_id), (ADA, "x"), (ADA, BOB)):
        _, got = service.post("cancel-job", by(user_id, {"job_id": wanted}))
        assert (got["success"], got["message"], got["error_code"]) == (False, "No such job", "NOT_FOUND")
    assert service.post("cancel-job", by("", {"job_id": job_id}))[0] == 401
    assert service.post("cancel-job", {"input": {"job_id": job_id}})[1]["success"] is True

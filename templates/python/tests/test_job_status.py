"""What the action jobStatus promises, and the links to files that it answers with."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from service.jobs import Jobs
from service.store import Database
from tests.conftest import MakeService, Service
from tests.jobs import ADA, BOB, add_job, by


def test_whose(service: Service) -> None:
    """Others do not learn that there is such a job."""
    job_id = add_job(service, "report", ADA)
    for user_id, wanted in ((BOB, job_id), (ADA, "x"), (ADA, BOB)):
        _, got = service.post("job-status", by(user_id, {"job_id": wanted}))
        assert (got["success"], got["message"], got["error_code"]) == (False, "No such job", "NOT_FOUND")
    for nobody in ("", "7"):
        assert service.post("job-status", by(nobody, {"job_id": job_id}))[0] == 401
    for body in (
        by(ADA, {"job_id": job_id.upper()}),
        by(ADA.upper(), {"job_id": job_id}),
        {"input": {"job_id": job_id}},
    ):
        _, got = service.post("job-status", body)
        assert (got["success"], got["status"], got["kind"]) == (True, "QUEUED", "report")


def test_asked_often(service: Service) -> None:
    """Who waits for a job asks more often than the five times that others have."""
    job_id = add_job(service, "report", ADA)
    assert {service.post("job-status", by(ADA, {"job_id": job_id}))[0] for _ in range(20)} == {200}


def link(service: Service, db: Database, tmp_path: Path) -> str:
    """Finish a job and return the link to its result, without the host."""
    job_id = add_job(service, "report", ADA)
    jobs = Jobs(db)
    job = jobs.claim(job_id)
    assert job is not None
    assert jobs.progress(job, 50)
    assert jobs.succeed(job, f"{job_id}/a report.csv")
    assert not jobs.progress(job, 60)
    (tmp_path / job_id).mkdir()
    (tmp_path / job_id / "a report.csv").write_bytes(b"id\r\n")
    _, got = service.post("job-status", by(ADA, {"job_id": job_id}))
    assert (got["status"], got["progress"], got["attempts"], got["error"]) == ("SUCCEEDED", 100, 1, None)
    url = str(got["result_url"])
    assert url.startswith(f"http://service.test/files/{job_id}/a%20report.csv?expires=")
    return url.removeprefix("http://service.test")


def code(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.get_json()["error_code"]


def test_link(service: Service, db: Database, tmp_path: Path) -> None:
    path = link(service, db, tmp_path)
    response = service.client.get(path)
    assert (response.status_code, response.data) == (200, b"id\r\n")
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    for forged in (
        path.replace("a%20report.csv", "b.csv"), path.replace("expires=", "expires=9"), path.rpartition("&")[0],
        path + "x", path.partition("?")[0], path.replace("signature=", "signature=%C3%A9"),
    ):  # fmt: skip
        assert code(service.client.get(forged))[0] == 403, forged
    (tmp_path / path.split("/")[2] / "a report.csv").unlink()
    assert code(service.client.get(path)) == (404, "NOT_FOUND")


def test_link_expires(make_service: MakeService, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = make_service({"FILE_URL_TTL_SECONDS": "60"})
    path = link(service, db, tmp_path)
    at = int(path.partition("expires=")[2].partition("&")[0])
    monkeypatch.setattr("service.file_links.time.time", lambda: at - 1)
    assert service.client.get(path).status_code == 200
    monkeypatch.setattr("service.file_links.time.time", lambda: at + 1)
    assert code(service.client.get(path))[0] == 410

package actions

import (
	"fmt"
	"strconv"
	"testing"
)

func TestCancelJob(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	cancel := func(status, user string) (id string, answer map[string]any) {
		t.Helper()
		if err := s.deps.DB.QueryRow(t.Context(), `INSERT INTO jobs (kind, user_id, status, runtime) VALUES ('report', $1, $2, 'other')
			RETURNING id::text`, alice, status).Scan(&id); err != nil {
			t.Fatal(err)
		}
		_, answer = s.post(t, "cancel-job", fmt.Sprintf(`{"input":{"job_id":%q},"session_variables":
			{"x-hasura-role":"admin","x-hasura-user-id":%q}}`, id, user))
		return id, answer
	}
	// The limiter counts the calls of a user, so each has one of their own.
	for i, status := range []string{"QUEUED", "RUNNING"} {
		id, got := cancel(status, strconv.Itoa(i))
		if got["success"] != true || got["status"] != "CANCELLED" || got["message"] != "Job was cancelled" || got["finished_at"] == nil {
			t.Errorf("%s: got %v", status, got)
		}
		if _, again := s.post(t, "cancel-job", fmt.Sprintf(`{"input":{"job_id":%q}}`, id)); again["error_code"] != "ALREADY_FINISHED" {
			t.Errorf("%s, again: got %v", status, again)
		}
	}
	for i, status := range []string{"SUCCEEDED", "FAILED"} {
		_, got := cancel(status, strconv.Itoa(10+i))
		if got["success"] != false || got["status"] != status || got["message"] != "Job has already finished" ||
			got["error_code"] != "ALREADY_FINISHED" {
			t.Errorf("%s: got %v", status, got)
		}
	}
	if _, got := s.post(t, "cancel-job", fmt.Sprintf(userBody, `{"job_id":"x"}`, bob)); got["error_code"] != "NOT_FOUND" {
		t.Errorf("an unknown job: %v", got)
	}
	var left int
	if err := s.deps.DB.QueryRow(t.Context(),
		"SELECT count(*) FROM jobs WHERE status IN ('QUEUED', 'RUNNING')").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d jobs are not cancelled, %v", left, err)
	}
}

package actions

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// addJob puts a job of alice's into the table and returns its id.
func addJob(t *testing.T, s *testService, status string) (id string) {
	t.Helper()
	if err := s.deps.DB.QueryRow(t.Context(), `INSERT INTO jobs (kind, user_id, status, progress, attempts, runtime, result_key,
			error, created_at, finished_at)
		VALUES ('report', $1, $2, 40, 1, 'other', CASE WHEN $2 = 'SUCCEEDED' THEN 'x/report.csv' END,
			CASE WHEN $2 = 'FAILED' THEN 'No luck' END, '2026-01-01 10:00:00.5+02',
			CASE WHEN $2 NOT IN ('QUEUED', 'RUNNING') THEN '2026-01-01 11:00+02'::timestamptz END)
		RETURNING id::text`, alice, status).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestJobStatus(t *testing.T) {
	t.Parallel()
	env := storageIn(t)
	s := newService(t, serviceOptions{env: env})
	if err := os.MkdirAll(filepath.Join(env["STORAGE_DIR"], "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(env["STORAGE_DIR"], "x", "report.csv"), []byte("a\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for status, message := range map[string]string{
		"QUEUED": "Job is queued", "RUNNING": "Job is running", "SUCCEEDED": "Job succeeded", "FAILED": "Job failed",
		"CANCELLED": "Job was cancelled",
	} {
		id := addJob(t, s, status)
		code, got := s.post(t, "job-status", fmt.Sprintf(userBody, `{"job_id":"`+strings.ToUpper(id)+`"}`, alice))
		want := map[string]any{
			"success": true, "message": message, "job_id": id, "kind": "report", "status": status, "progress": 40.0,
			"attempts": 1.0, "result_url": got["result_url"], "error": nil, "created_at": "2026-01-01T08:00:00Z",
			"finished_at": nil, "errors": nil, "error_code": nil,
		}
		if status == "FAILED" {
			want["error"] = "No luck"
		}
		if status != "QUEUED" && status != "RUNNING" {
			want["finished_at"] = "2026-01-01T09:00:00Z"
		}
		if code != http.StatusOK || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got status %d, %v\nwant %v", status, code, got, want)
		}
		link, linked := got["result_url"].(string)
		if linked != (status == "SUCCEEDED") {
			t.Errorf("%s: the result is at %q", status, link)
		}
		if !linked {
			continue
		}
		code, file := s.do(t, http.MethodGet, strings.TrimPrefix(link, "http://service.test"), "")
		if code != http.StatusOK || string(file) != "a\r\n" {
			t.Errorf("%s: got %d %q", link, code, file)
		}
	}
}

// A caller may ask again and again until a job is done; registering, say, is bounded to 5 calls.
func TestJobStatusOften(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	for range 50 {
		if status, got := s.post(t, "job-status", fmt.Sprintf(userBody, `{"job_id":"x"}`, alice)); status != http.StatusOK {
			t.Fatalf("got status %d, %v", status, got)
		}
	}
}

func TestJobsOfOthers(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	id := addJob(t, s, "QUEUED")
	want := map[string]any{
		"success": false, "message": "No such job", "job_id": nil, "kind": nil, "status": nil, "progress": nil, "attempts": nil,
		"result_url": nil, "error": nil, "created_at": nil, "finished_at": nil, "errors": nil, "error_code": "NOT_FOUND",
	}
	for _, ask := range []string{id, "nonsense", "00000000-0000-4000-8000-000000000000", ""} {
		status, got := s.post(t, "job-status", fmt.Sprintf(userBody, `{"job_id":"`+ask+`"}`, bob))
		if status != http.StatusOK || !reflect.DeepEqual(got, want) {
			t.Errorf("job %q: got status %d, %v", ask, status, got)
		}
	}
	for session, wantStatus := range map[string]int{
		`{"x-hasura-role":"admin"}`:                                     http.StatusOK,
		`{"x-hasura-role":"user"}`:                                      http.StatusUnauthorized,
		`{"x-hasura-role":"user","x-hasura-user-id":"7"}`:               http.StatusUnauthorized,
		`{"x-hasura-role":"public","x-hasura-user-id":"` + alice + `"}`: http.StatusUnauthorized,
		`{"x-hasura-role":"user","x-hasura-user-id":"` + alice + `"}`:   http.StatusOK,
	} {
		status, got := s.post(t, "job-status", `{"input":{"job_id":"`+id+`"},"session_variables":`+session+`}`)
		if status != wantStatus || status == http.StatusOK && got["status"] != "QUEUED" ||
			status != http.StatusOK && (got["message"] != "Sign in first" || got["error_code"] != "UNAUTHENTICATED") {
			t.Errorf("%s: got status %d, %v", session, status, got)
		}
	}
}

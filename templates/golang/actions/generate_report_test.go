package actions

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/jobs"
)

func TestGenerateReport(t *testing.T) {
	t.Parallel()
	env := storageIn(t)
	s := newService(t, serviceOptions{env: env})
	if _, err := s.deps.DB.Exec(t.Context(), `INSERT INTO users (id, email, password_hash, name, created_at)
		VALUES ($1, 'a@x.co', '!', 'A', '2026-01-05Z')`, alice); err != nil {
		t.Fatal(err)
	}
	const input = `{"input":{"report_type":"USERS","start_date":"2026-01-01","end_date":"2026-01-31"}}`
	status, got := s.post(t, "generate-report", fmt.Sprintf(userBody, input, strings.ToUpper(alice)))
	want := map[string]any{
		"success": true, "job_id": got["job_id"], "status": "QUEUED", "estimated_duration": 1.0, "message": "Report queued",
		"errors": nil, "error_code": nil,
	}
	if status != http.StatusOK || !reflect.DeepEqual(got, want) {
		t.Fatalf("got status %d, %v", status, got)
	}
	job := awaitJob(t, s, got["job_id"], jobs.Succeeded)
	if job.Kind != "report" || job.UserID == nil || *job.UserID != alice || *job.ResultKey != job.ID+"/report.csv" {
		t.Errorf("the job is %+v", job)
	}
	if csv := storedFile(t, env, *job.ResultKey); csv != "id,email,name,company,email_verified,created_at\r\n"+
		alice+",a@x.co,A,,false,2026-01-05T00:00:00Z\r\n" {
		t.Errorf("got\n%s", csv)
	}
}

// The storage cannot be written: the job is tried again, and the user learns in the end that it failed, not why.
func TestGenerateReportFails(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{env: map[string]string{"STORAGE_DIR": "/dev/null/storage", "JOB_MAX_ATTEMPTS": "2"}})
	_, got := s.post(t, "generate-report",
		`{"input":{"report_type":"PAYMENTS","start_date":"2026-01-01","end_date":"2026-01-01"}}`)
	job := awaitJob(t, s, got["job_id"], jobs.Failed)
	if *job.Error != "The report could not be generated" || job.Attempts != 2 || job.ResultKey != nil {
		t.Errorf("got %+v", job)
	}
	if !strings.Contains(s.log.String(), "STORAGE_DIR") {
		t.Errorf("the log does not say why:\n%s", s.log)
	}
}

func TestGenerateReportValidation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, start, end, want string }{
		{"no dates", "", "tomorrow", "[start_date INVALID_FORMAT end_date INVALID_FORMAT]"},
		{"no such day", "2026-02-29", "2026-03-01", "[start_date INVALID_FORMAT]"},
		{"end first", "2026-01-02", "2026-01-01", "[end_date INVALID_RANGE]"},
		{"one day", "2026-01-01", "2026-01-01", "[]"},
		{"a leap year", "2024-01-01", "2024-12-31", "[]"},
		{"a day too long", "2024-01-01", "2025-01-01", "[end_date INVALID_RANGE]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, faults := checkReport(ReportInput{ReportType: ReportTypeUsers, StartDate: tt.start, EndDate: tt.end})
			got := []string{}
			for _, f := range faults {
				got = append(got, f.Field, *f.Code)
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestGenerateReportNeedsAUser(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	status, got := s.post(t, "generate-report", `{"input":{},"session_variables":{"x-hasura-role":"manager"}}`)
	want := map[string]any{
		"success": false, "message": "Sign in first", "error_code": "UNAUTHENTICATED", "code": "UNAUTHENTICATED",
	}
	if status != http.StatusUnauthorized || !reflect.DeepEqual(got, want) {
		t.Errorf("got status %d, %v", status, got)
	}
}

package actions

import (
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/jobs"
)

func noSuchJob() *JobStatusOutput {
	return &JobStatusOutput{Message: "No such job", ErrorCode: new(action.CodeNotFound)}
}

func describeJob(j jobs.Job) *JobStatusOutput {
	out := &JobStatusOutput{
		Success: true, JobID: &j.ID, Kind: &j.Kind, Status: new(JobStatus(j.Status)), Progress: &j.Progress,
		Attempts: &j.Attempts, Error: j.Error, CreatedAt: new(j.CreatedAt.UTC().Format(time.RFC3339)),
		Message: map[jobs.Status]string{
			jobs.Queued: "Job is queued", jobs.Running: "Job is running", jobs.Succeeded: "Job succeeded",
			jobs.Failed: "Job failed", jobs.Cancelled: "Job was cancelled",
		}[j.Status],
	}
	if j.FinishedAt != nil {
		out.FinishedAt = new(j.FinishedAt.UTC().Format(time.RFC3339))
	}
	return out
}

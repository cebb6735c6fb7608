package actions

import (
	"context"
	"errors"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/jobs"
	"github.com/nself-org/nself/templates/golang/internal/storage"
)

// JobStatusHandler implements the action jobStatus: it tells how far a job is, and links to its result.
type JobStatusHandler struct {
	jobs             *jobs.Service
	storage          storage.Storage
	unauthorizedRole string
}

// NewJobStatus makes the handler.
func NewJobStatus(d Deps) *JobStatusHandler {
	return &JobStatusHandler{
		jobs:             jobs.Of(d.Parts, d.Config, d.DB, d.Env, d.Log),
		storage:          storage.Of(d.Parts, d.Config, d.Env, d.Log),
		unauthorizedRole: d.Config.UnauthorizedRole,
	}
}

// Frequent lets callers ask again and again until a job is done.
func (h *JobStatusHandler) Frequent() bool { return true }

// Handle reads the job. Another user's job is answered as one that does not exist.
func (h *JobStatusHandler) Handle(ctx context.Context, req *action.Request[JobStatusArgs]) (*JobStatusOutput, error) {
	userID, err := req.Session.SignedIn(h.unauthorizedRole)
	if err != nil {
		return nil, err
	}
	job, err := h.jobs.FindOwn(ctx, req.Args.JobID, userID, req.Session.Trusted())
	if errors.Is(err, jobs.ErrNotFound) {
		return noSuchJob(), nil
	}
	if err != nil {
		return nil, err
	}
	out := describeJob(job)
	if job.Status == jobs.Succeeded && job.ResultKey != nil {
		link, err := h.storage.Link(ctx, *job.ResultKey)
		if err != nil {
			return nil, err
		}
		out.ResultURL = &link
	}
	return out, nil
}

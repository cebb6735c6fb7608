package actions

import (
	"context"
	"errors"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/jobs"
)

// CancelJobHandler implements the action cancelJob: it ends a job that waits or runs.
type CancelJobHandler struct {
	jobs             *jobs.Service
	unauthorizedRole string
}

// NewCancelJob makes the handler.
func NewCancelJob(d Deps) *CancelJobHandler {
	return &CancelJobHandler{
		jobs: jobs.Of(d.Parts, d.Config, d.DB, d.Env, d.Log), unauthorizedRole: d.Config.UnauthorizedRole,
	}
}

// Handle cancels the job. Another user's job is answered as one that does not exist.
func (h *CancelJobHandler) Handle(ctx context.Context, req *action.Request[CancelJobArgs]) (*JobStatusOutput, error) {
	userID, err := req.Session.SignedIn(h.unauthorizedRole)
	if err != nil {
		return nil, err
	}
	job, err := h.jobs.FindOwn(ctx, req.Args.JobID, userID, req.Session.Trusted())
	if err == nil {
		job, err = h.jobs.Cancel(ctx, job.ID)
	}
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return noSuchJob(), nil
	case errors.Is(err, jobs.ErrFinished):
		out := describeJob(job)
		out.Success, out.Message, out.ErrorCode = false, "Job has already finished", new("ALREADY_FINISHED")
		return out, nil
	case err != nil:
		return nil, err
	}
	return describeJob(job), nil
}

package actions

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/jobs"
	"github.com/nself-org/nself/templates/golang/internal/reports"
	"github.com/nself-org/nself/templates/golang/internal/storage"
	"github.com/nself-org/nself/templates/golang/internal/store"
)

const (
	reportJob = "report"
	// maxReportDays is a leap year.
	maxReportDays = 366
)

// GenerateReportHandler implements the action generateReport: it makes a job and answers with its id at once. The job
// writes the report to the storage; jobStatus tells where.
type GenerateReportHandler struct {
	db               store.DB
	jobs             *jobs.Service
	storage          storage.Storage
	unauthorizedRole string
}

// NewGenerateReport makes the handler.
func NewGenerateReport(d Deps) *GenerateReportHandler {
	h := &GenerateReportHandler{
		db:               d.DB,
		jobs:             jobs.Of(d.Parts, d.Config, d.DB, d.Env, d.Log),
		storage:          storage.Of(d.Parts, d.Config, d.Env, d.Log),
		unauthorizedRole: d.Config.UnauthorizedRole,
	}
	h.jobs.Handle(reportJob, h.run)
	return h
}

// Handle queues a report.
func (h *GenerateReportHandler) Handle(
	ctx context.Context, req *action.Request[GenerateReportArgs],
) (*GenerateReportOutput, error) {
	userID, err := req.Session.SignedIn(h.unauthorizedRole)
	if err != nil {
		return nil, err
	}
	report, faults := checkReport(req.Args.Input)
	if len(faults) > 0 {
		return &GenerateReportOutput{
			Message: "Validation failed", Errors: faults, ErrorCode: new(action.CodeValidation),
		}, nil
	}
	rows, err := report.Count(ctx, h.db)
	if err != nil {
		return nil, err
	}
	var job jobs.Job
	err = store.InTx(ctx, h.db, func(tx pgx.Tx) error {
		job, err = h.jobs.Enqueue(ctx, tx, reportJob, userID, report)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &GenerateReportOutput{
		Success: true, JobID: &job.ID, Status: new(JobStatusQueued), EstimatedDuration: new(reports.Estimate(rows)),
		Message: "Report queued",
	}, nil
}

// checkReport turns the input into a report, or says what is wrong with it.
func checkReport(in ReportInput) (reports.Report, []ValidationError) {
	var faults []ValidationError
	fault := func(field, message, code string) {
		faults = append(faults, ValidationError{Field: field, Message: message, Code: &code})
	}
	if !in.ReportType.Valid() { // it was left out: the engine would not have let another one through
		fault("report_type", "Report type is required", action.CodeRequired)
	}
	start, startOK := reports.Day(strings.TrimSpace(in.StartDate))
	if !startOK {
		fault("start_date", "Start date must be a date such as 2026-01-31", action.CodeFormat)
	}
	end, endOK := reports.Day(strings.TrimSpace(in.EndDate))
	if !endOK {
		fault("end_date", "End date must be a date such as 2026-01-31", action.CodeFormat)
	}
	end = end.AddDate(0, 0, 1)
	switch days := end.Sub(start) / (24 * time.Hour); {
	case !startOK || !endOK:
	case days < 1:
		fault("end_date", "End date must not be before the start date", action.CodeRange)
	case days > maxReportDays:
		fault("end_date", "A report covers at most 366 days", action.CodeRange)
	}
	return reports.Report{Type: string(in.ReportType), Start: start, End: end}, faults
}

// run writes the report of a job. The file's name follows from the job's id: whoever does the job again replaces it.
func (h *GenerateReportHandler) run(ctx context.Context, r *jobs.Run) (string, error) {
	key, err := h.write(ctx, r)
	if err != nil {
		return "", &jobs.Error{Message: "The report could not be generated", Err: err}
	}
	return key, nil
}

func (h *GenerateReportHandler) write(ctx context.Context, r *jobs.Run) (string, error) {
	var report reports.Report
	if err := r.Decode(&report); err != nil {
		return "", err
	}
	key := r.ID + "/report.csv"
	in, out := io.Pipe()
	stored := make(chan error, 1)
	go func() {
		err := h.storage.Put(ctx, key, in)
		_ = in.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // ends the report when the storage gives up
		stored <- err
	}()
	err := report.Write(ctx, r.DB(), out, func(percent int) error { return r.Progress(ctx, percent) })
	_ = out.CloseWithError(err) // it never fails
	return key, errors.Join(err, <-stored)
}

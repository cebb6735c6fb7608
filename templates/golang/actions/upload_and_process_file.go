package actions

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/files"
	"github.com/nself-org/nself/templates/golang/internal/jobs"
	"github.com/nself-org/nself/templates/golang/internal/storage"
	"github.com/nself-org/nself/templates/golang/internal/store"
)

const (
	maxFile     = 10 << 20
	maxFileBody = 16 << 20 // base64 makes four bytes of three
	maxFileName = 255
)

// UploadAndProcessFileHandler implements the action uploadAndProcessFile: it stores a file, after a look at its content,
// and makes a job that processes it.
type UploadAndProcessFileHandler struct {
	db               store.DB
	jobs             *jobs.Service
	storage          storage.Storage
	unauthorizedRole string
}

// NewUploadAndProcessFile makes the handler.
func NewUploadAndProcessFile(d Deps) *UploadAndProcessFileHandler {
	h := &UploadAndProcessFileHandler{
		db:               d.DB,
		jobs:             jobs.Of(d.Parts, d.Config, d.DB, d.Env, d.Log),
		storage:          storage.Of(d.Parts, d.Config, d.Env, d.Log),
		unauthorizedRole: d.Config.UnauthorizedRole,
	}
	h.jobs.Handle(fileJob, h.run)
	return h
}

// MaxBodyBytes makes room for a file.
func (h *UploadAndProcessFileHandler) MaxBodyBytes() int64 { return maxFileBody }

// Timeout gives a slow storage time.
func (h *UploadAndProcessFileHandler) Timeout() time.Duration { return 50 * time.Second }

// Handle stores the file first and records it then: what is recorded is there.
func (h *UploadAndProcessFileHandler) Handle(
	ctx context.Context, req *action.Request[UploadAndProcessFileArgs],
) (*FileUploadOutput, error) {
	userID, err := req.Session.SignedIn(h.unauthorizedRole)
	if err != nil {
		return nil, err
	}
	in := req.Args.Input
	data, kind, faults := checkFile(in)
	if len(faults) > 0 {
		return &FileUploadOutput{
			Message: "Validation failed", Errors: faults, ErrorCode: new(action.CodeValidation),
		}, nil
	}
	sum := sha256.Sum256(data)
	file := files.File{ID: newUUID(), UserID: userID, Name: in.FileName, Type: kind, Size: len(data), SHA256: sum[:]}
	if err := h.storage.Put(ctx, file.Key(), bytes.NewReader(data)); err != nil {
		return nil, err
	}
	out := &FileUploadOutput{Success: true, FileID: &file.ID, Message: "File uploaded"}
	err = store.InTx(ctx, h.db, func(tx pgx.Tx) error {
		if err := file.Insert(ctx, tx); err != nil || kind == files.PDF {
			return err
		}
		job, err := h.jobs.Enqueue(ctx, tx, fileJob, userID, newFileWork(file, in.ProcessingOptions))
		out.ProcessingJobID = &job.ID
		return err
	})
	if err != nil {
		return nil, err
	}
	link, err := h.storage.Link(ctx, file.Key())
	if err != nil {
		return nil, err
	}
	out.FileURL = &link
	return out, nil
}

// checkFile decodes the file and finds out what it is, or says what is wrong.
func checkFile(in FileUploadInput) (data []byte, kind string, faults []ValidationError) {
	fault := func(field, code, message string) {
		faults = append(faults, ValidationError{Field: field, Message: message, Code: &code})
	}
	if !validFileName(in.FileName) {
		fault("file_name", action.CodeFormat, "File name is not valid")
	}
	data, kind, wrong := checkContent(in)
	if wrong != nil {
		faults = append(faults, *wrong)
	}
	if o := in.ProcessingOptions; o != nil {
		for _, side := range []struct {
			name  string
			value *int
		}{{"width", o.ThumbnailWidth}, {"height", o.ThumbnailHeight}} {
			if side.value != nil && (*side.value < 1 || *side.value > files.MaxThumbnail) {
				fault("processing_options.thumbnail_"+side.name, action.CodeRange,
					fmt.Sprintf("Thumbnail %s must be from 1 to %d", side.name, files.MaxThumbnail))
			}
		}
	}
	return data, kind, faults
}

// checkContent returns the first thing that is wrong with the content: what comes later rests on what comes before.
func checkContent(in FileUploadInput) (data []byte, kind string, wrong *ValidationError) {
	fault := func(field, code, message string) ([]byte, string, *ValidationError) {
		return nil, "", &ValidationError{Field: field, Message: message, Code: &code}
	}
	if in.FileData == "" {
		return fault("file_data", action.CodeRequired, "File data is required")
	}
	data, err := base64.StdEncoding.DecodeString(in.FileData)
	if err != nil || strings.ContainsAny(in.FileData, "\r\n") { // the decoder skips line ends
		return fault("file_data", action.CodeFormat, "File data is not valid base64")
	}
	if len(data) > maxFile {
		return fault("file_data", "FILE_TOO_LARGE", "File is larger than 10 MiB")
	}
	if len(data) != in.FileSize {
		return fault("file_size", "SIZE_MISMATCH", "File size does not match the data")
	}
	kind = files.Detect(data)
	pixels := 0
	if files.IsImage(kind) {
		if pixels, err = files.Pixels(data); err != nil {
			kind = ""
		}
	}
	switch {
	case kind == "":
		return fault("file_type", "UNSUPPORTED_TYPE", "File type is not supported")
	case kind != files.NormalType(in.FileType):
		return fault("file_type", "TYPE_MISMATCH", "File type does not match the content")
	case pixels > files.MaxPixels:
		return fault("file_data", "IMAGE_TOO_LARGE", "Image is larger than 40 megapixels")
	}
	return data, kind, nil
}

// validFileName lets in what can be the last element of a path on any system and in any URL.
func validFileName(name string) bool {
	return name != "" && len(name) <= maxFileName && name != "." && name != ".." &&
		!strings.ContainsAny(name, `/\`) && !strings.ContainsFunc(name, unicode.IsControl)
}

// newUUID makes a random UUID (RFC 9562, version 4): the file's place in the storage is needed before its row is.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the program rather than return weak bytes
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

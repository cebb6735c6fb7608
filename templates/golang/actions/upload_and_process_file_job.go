package actions

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/nself-org/nself/templates/golang/internal/files"
	"github.com/nself-org/nself/templates/golang/internal/jobs"
)

const fileJob = "file"

// fileWork is what a job needs to know.
type fileWork struct {
	Key    string `json:"key"`
	Type   string `json:"type"`
	Width  int    `json:"width"` // of the box that the thumbnail fits into
	Height int    `json:"height"`
}

func newFileWork(file files.File, options *ProcessingOptions) fileWork {
	w := fileWork{file.Key(), file.Type, files.DefaultThumbnail, files.DefaultThumbnail}
	if options != nil && options.ThumbnailWidth != nil {
		w.Width = *options.ThumbnailWidth
	}
	if options != nil && options.ThumbnailHeight != nil {
		w.Height = *options.ThumbnailHeight
	}
	return w
}

// run processes a file. The results' names follow from the job's id: whoever does the job again replaces them.
func (h *UploadAndProcessFileHandler) run(ctx context.Context, r *jobs.Run) (string, error) {
	key, final, err := h.process(ctx, r)
	if err != nil {
		return "", &jobs.Error{Message: "The file could not be processed", Final: final, Err: err}
	}
	return key, nil
}

// process returns where the result lies. final says that trying again would fail again: the file itself is at fault.
func (h *UploadAndProcessFileHandler) process(ctx context.Context, r *jobs.Run) (key string, final bool, err error) {
	var work fileWork
	if err := r.Decode(&work); err != nil {
		return "", true, err
	}
	in, err := h.storage.Get(ctx, work.Key)
	if err != nil {
		return "", false, err
	}
	defer in.Close()
	var result any
	summary := r.ID + "/result.json"
	key = summary
	if files.IsImage(work.Type) {
		info, name, thumbnail, err := files.Thumbnail(in, work.Width, work.Height)
		if err != nil {
			return "", true, err
		}
		if err := r.Progress(ctx, 50); err != nil {
			return "", false, err
		}
		key = r.ID + "/" + name
		info.ThumbnailKey = key
		if err := h.storage.Put(ctx, key, bytes.NewReader(thumbnail)); err != nil {
			return "", false, err
		}
		result = info
	} else if result, err = files.Describe(in); err != nil {
		return "", true, err
	}
	data, err := json.Marshal(result)
	if err != nil {
		return "", true, err
	}
	return key, false, h.storage.Put(ctx, summary, bytes.NewReader(data))
}

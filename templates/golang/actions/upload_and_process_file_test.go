package actions

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/jobs"
)

// upload is the input for a file.
func upload(t *testing.T, name, kind string, data []byte, options string) string {
	t.Helper()
	text, err := json.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	if options == "" {
		options = "null"
	}
	return fmt.Sprintf(`{"input":{"file_name":%s,"file_type":%q,"file_size":%d,"file_data":%q,"processing_options":%s}}`,
		text, kind, len(data), base64.StdEncoding.EncodeToString(data), options)
}

func pngOf(t *testing.T, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUploadImage(t *testing.T) {
	t.Parallel()
	env := storageIn(t)
	s := newService(t, serviceOptions{env: env})
	data := pngOf(t, 300, 600)
	status, got := s.post(t, "upload-and-process-file",
		fmt.Sprintf(userBody, upload(t, "Größe 1.png", "IMAGE/PNG", data, `{"thumbnail_width":30}`), alice))
	if status != http.StatusOK || got["success"] != true || got["message"] != "File uploaded" || got["error_code"] != nil {
		t.Fatalf("got status %d, %v", status, got)
	}
	link, _ := got["file_url"].(string)
	if status, stored := s.do(t, http.MethodGet, strings.TrimPrefix(link, "http://service.test"), ""); status != http.StatusOK ||
		!bytes.Equal(stored, data) {
		t.Errorf("%s: got %d, %d bytes", link, status, len(stored))
	}
	job := awaitJob(t, s, got["processing_job_id"], jobs.Succeeded)
	if job.Kind != "file" || *job.UserID != alice || *job.ResultKey != job.ID+"/thumbnail.png" {
		t.Errorf("the job is %+v", job)
	}
	if want := `{"width":300,"height":600,"format":"png","thumbnail_key":"` + *job.ResultKey + `"}`; storedFile(t, env, job.ID+"/result.json") != want {
		t.Errorf("result.json is %s, want %s", storedFile(t, env, job.ID+"/result.json"), want)
	}
	cfg, err := png.DecodeConfig(strings.NewReader(storedFile(t, env, *job.ResultKey)))
	if err != nil || cfg.Width != 30 || cfg.Height != 60 {
		t.Errorf("the thumbnail has %dx%d, %v", cfg.Width, cfg.Height, err)
	}
	var owner, kind string
	if err := s.deps.DB.QueryRow(t.Context(), "SELECT user_id, content_type FROM files WHERE id = $1", got["file_id"]).
		Scan(&owner, &kind); err != nil || owner != alice || kind != "image/png" {
		t.Errorf("the record has %s, %s, %v", owner, kind, err)
	}
}

func TestUploadOthers(t *testing.T) {
	t.Parallel()
	env := storageIn(t)
	s := newService(t, serviceOptions{env: env})
	_, got := s.post(t, "upload-and-process-file", fmt.Sprintf(userBody, upload(t, "a.csv", "text/csv", []byte("a\n1\n"), ""), alice))
	job := awaitJob(t, s, got["processing_job_id"], jobs.Succeeded)
	if text := storedFile(t, env, *job.ResultKey); !strings.HasPrefix(text, `{"rows":1,`) {
		t.Errorf("result.json is %s", text)
	}
	_, got = s.post(t, "upload-and-process-file", fmt.Sprintf(userBody, upload(t, "a.pdf", "application/pdf", []byte("%PDF-1.7"), ""), alice))
	if got["success"] != true || got["processing_job_id"] != nil {
		t.Errorf("a PDF file: %v", got)
	}
	// The header is right and the rest is not: that is found out by the job, once.
	data := pngOf(t, 300, 300)
	_, got = s.post(t, "upload-and-process-file", fmt.Sprintf(userBody, upload(t, "a.png", "image/png", data[:60], ""), alice))
	if job := awaitJob(t, s, got["processing_job_id"], jobs.Failed); *job.Error != "The file could not be processed" || job.Attempts != 1 {
		t.Errorf("half an image: %+v", job)
	}
	if status, _ := s.post(t, "upload-and-process-file", `{"session_variables":{"x-hasura-role":"user"}}`); status != http.StatusUnauthorized {
		t.Errorf("without a user: got status %d", status)
	}
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	huge := pngOf(t, 1, 1) // and its header says otherwise
	binary.BigEndian.PutUint32(huge[16:], 8000)
	binary.BigEndian.PutUint32(huge[20:], 8000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	var in struct{ Input FileUploadInput }
	for _, tt := range []struct {
		name, input, want string
	}{
		{"nothing", `{"input":{}}`, "file_name INVALID_FORMAT file_data REQUIRED_FIELD"},
		{"path", upload(t, "../a.csv", "text/csv", []byte("a"), ""), "file_name INVALID_FORMAT"},
		{"backslash", upload(t, `a\b.csv`, "text/csv", []byte("a"), ""), "file_name INVALID_FORMAT"},
		{"dots", upload(t, "..", "text/csv", []byte("a"), ""), "file_name INVALID_FORMAT"},
		{"line break", upload(t, "a\n.csv", "text/csv", []byte("a"), ""), "file_name INVALID_FORMAT"},
		{"long name", upload(t, strings.Repeat("ä", 128), "text/csv", []byte("a"), ""), "file_name INVALID_FORMAT"},
		{"hidden", upload(t, ".csv", "text/csv", []byte("a"), ""), ""},
		{"not base64", `{"input":{"file_name":"a","file_type":"text/csv","file_size":1,"file_data":"YQ"}}`, "file_data INVALID_FORMAT"},
		{"line in base64", `{"input":{"file_name":"a","file_type":"text/csv","file_size":1,"file_data":"YQ\n=="}}`, "file_data INVALID_FORMAT"},
		{"wrong size", `{"input":{"file_name":"a","file_type":"text/csv","file_size":2,"file_data":"YQ=="}}`, "file_size SIZE_MISMATCH"},
		{"too large", upload(t, "a", "text/csv", bytes.Repeat([]byte("a"), maxFile+1), ""), "file_data FILE_TOO_LARGE"},
		{"largest", upload(t, "a", "text/csv", bytes.Repeat([]byte("a"), maxFile), ""), ""},
		{"program", upload(t, "a.png", "image/png", []byte("\x7fELF\x00"), ""), "file_type UNSUPPORTED_TYPE"},
		{"no image", upload(t, "a.png", "image/png", []byte("\x89PNG\r\n\x1a\n"), ""), "file_type UNSUPPORTED_TYPE"},
		{"claim", upload(t, "a.png", "image/png", []byte("<svg/>"), ""), "file_type TYPE_MISMATCH"},
		{"huge", upload(t, "a.png", "image/png", huge, ""), "file_data IMAGE_TOO_LARGE"},
		{
			"options", upload(t, "a", "text/csv", []byte("a"), `{"thumbnail_width":0,"thumbnail_height":2001}`),
			"processing_options.thumbnail_width INVALID_RANGE processing_options.thumbnail_height INVALID_RANGE",
		},
	} {
		in.Input = FileUploadInput{}
		if err := json.Unmarshal([]byte(tt.input), &in); err != nil {
			t.Fatal(err)
		}
		_, _, faults := checkFile(in.Input)
		var got []string
		for _, f := range faults {
			got = append(got, f.Field, *f.Code)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, got, tt.want)
		}
	}
}

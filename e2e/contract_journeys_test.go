package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/metadata"
)

// jobPatience bounds a job from its start to its end, also when its worker is killed in the middle.
const jobPatience = time.Minute

// journeys are what a table cannot say.
func (c *contract) journeys(t *testing.T) {
	for name, run := range map[string]func(*testing.T){
		"generateReport to its end": c.reports, "uploadAndProcessFile to its end": c.uploads,
		"bulkCreateUsers to its end": c.invitations, "heartbeats of a job": c.heartbeat,
	} {
		t.Run(name, run)
	}
	t.Run("files in a bucket", c.bucket)
	t.Run("generateReport of Hasura's asynchronous kind", c.asynchronousReport)
}

// call calls an action for a user and returns the answer, which must have status 200.
func (c *contract) call(t *testing.T, user, action, args string) map[string]any {
	t.Helper()
	body := contractCase{Action: action, Input: json.RawMessage(args), User: user}.body()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/actions/"+metadata.Kebab(action), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", c.secret)
	status, data, err := roundTrip(req)
	var answer map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(data), &answer)
	}
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: got status %d, %s, %v", action, args, status, data, err)
	}
	return answer
}

func roundTrip(req *http.Request) (int, string, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// get fetches a page without the secret.
func (c *contract) get(t *testing.T, link string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, data, err := roundTrip(req)
	if err != nil {
		t.Fatalf("GET %s: %v", link, err)
	}
	return status, data
}

// awaitJob asks for a job until it has the wanted status.
func (c *contract) awaitJob(t *testing.T, id any, want string) map[string]any {
	t.Helper()
	var job map[string]any
	within(t, jobPatience, fmt.Sprintf("job %v is %s", id, want), func() bool {
		job = c.call(t, "admin", "jobStatus", fmt.Sprintf(`{"job_id":%q}`, id))
		if job["status"] == "FAILED" && want != "FAILED" {
			t.Fatalf("the job failed: %v", job)
		}
		return job["status"] == want
	})
	return job
}

const usersHeader = "id,email,name,company,email_verified,created_at\r\n"

// startReport starts a report on the users of January of a year.
func (c *contract) startReport(t *testing.T, user string, year int) (id string) {
	t.Helper()
	got := c.call(t, user, "generateReport",
		fmt.Sprintf(`{"input":{"report_type":"USERS","start_date":"%d-01-01","end_date":"%[1]d-01-31"}}`, year))
	id, ok := got["job_id"].(string)
	if !ok {
		t.Fatalf("got %v", got)
	}
	return id
}

func (c *contract) reports(t *testing.T) {
	const id = "d0000000-0000-4000-8000-00000000000"
	c.sql(`insert into users (id, email, password_hash, name, company, email_verified, created_at) values
		('` + id + `2', 'two@example.com', '!', '=1+1', 'A, "B"', true, '2020-01-01 00:00:00.25+00'),
		('` + id + `1', 'one@example.com', '!', E'Two\nlines', null, false, '2020-01-01 00:00:00.25+00'),
		('` + id + `3', 'three@example.com', '!', '-', '@home', false, '2020-01-31 23:59:59.9+00'),
		('` + id + `4', 'four@example.com', '!', 'Late', null, false, '2020-02-01 00:00:00+00')`)
	job := c.startReport(t, "alice", 2020)
	done := c.awaitJob(t, job, "SUCCEEDED")
	link, _ := done["result_url"].(string)
	for field, want := range map[string]any{
		"success": true, "message": "Job succeeded", "kind": "report", "progress": 100.0, "attempts": 1.0, "error": nil,
		"error_code": nil, "job_id": job,
	} {
		if done[field] != want {
			t.Errorf("%s is %v, want %v", field, done[field], want)
		}
	}
	for _, field := range []string{"created_at", "finished_at"} {
		text, _ := done[field].(string)
		if at, err := time.Parse("2006-01-02T15:04:05Z", text); err != nil || time.Since(at).Abs() > time.Hour {
			t.Errorf("%s is %q: %v", field, text, err)
		}
	}
	want := usersHeader + id + "1,one@example.com,\"Two\nlines\",,false,2020-01-01T00:00:00Z\r\n" +
		id + "2,two@example.com,'=1+1,\"A, \"\"B\"\"\",true,2020-01-01T00:00:00Z\r\n" +
		id + "3,three@example.com,'-,'@home,false,2020-01-31T23:59:59Z\r\n"
	if status, csv := c.get(t, link); status != http.StatusOK || csv != want {
		t.Errorf("%s: got status %d\n%q\nwant\n%q", link, status, csv, want)
	}
	if status, _ := c.get(t, strings.Replace(link, "expires=", "expires=9", 1)); status != http.StatusForbidden {
		t.Errorf("a link that was made to last longer: got status %d", status)
	}
	ask := fmt.Sprintf(`{"job_id":%q}`, job)
	if got := c.call(t, "bob", "jobStatus", ask); got["error_code"] != "NOT_FOUND" {
		t.Errorf("someone else sees the job: %v", got)
	}
	if got := c.call(t, "bob", "cancelJob", ask); got["error_code"] != "NOT_FOUND" {
		t.Errorf("someone else cancels the job: %v", got)
	}
	if got := c.call(t, "alice", "cancelJob", ask); got["success"] != false || got["error_code"] != "ALREADY_FINISHED" ||
		got["message"] != "Job has already finished" || got["status"] != "SUCCEEDED" {
		t.Errorf("a finished job is cancelled: %v", got)
	}

	c.fillReport(2018)
	release := c.holdJobs(t)
	job = c.startReport(t, "alice", 2018)
	c.awaitHeld(t, 1)
	cancelled := make(chan map[string]any, 1)
	go func() { cancelled <- c.call(t, "alice", "cancelJob", fmt.Sprintf(`{"job_id":%q}`, job)) }()
	c.awaitHeld(t, 2) // it waits for the worker, which is writing its progress
	release()
	if got := <-cancelled; got["success"] != true || got["status"] != "CANCELLED" || got["message"] != "Job was cancelled" ||
		got["finished_at"] == nil {
		t.Errorf("a running job is not cancelled: %v", got)
	}
	c.awaitJob(t, c.startReport(t, "alice", 2020), "SUCCEEDED")
	if got := c.awaitJob(t, job, "CANCELLED"); got["result_url"] != nil {
		t.Errorf("a cancelled job has a result: %v", got)
	}
}

// reportRows is enough for a worker to tell its progress on the way.
const reportRows = 20_000

// fillReport makes as many users in January of a year.
func (c *contract) fillReport(year int) {
	c.t.Helper()
	c.sql(fmt.Sprintf(`insert into users (email, password_hash, name, created_at)
		select 'y%d-' || n || '@example.com', '!', 'N', '%[1]d-01-10Z' from generate_series(1, %d) n`, year, reportRows))
}

// holdJobs makes every worker wait in the middle of its job, when it tells its progress, until release is called.
func (c *contract) holdJobs(t *testing.T) (release func()) {
	t.Helper()
	return c.holdJobsWhen(t, "new.status = 'RUNNING' AND new.progress BETWEEN 1 AND 99 AND new.progress <> old.progress")
}

// holdJobsWhen makes every worker wait when it changes a job in this way, until release is called.
func (c *contract) holdJobsWhen(t *testing.T, condition string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.databaseURL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_lock(4711);
		CREATE OR REPLACE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN new; END $$;
		CREATE OR REPLACE TRIGGER hold BEFORE UPDATE ON public.jobs FOR EACH ROW
			WHEN (`+condition+`) EXECUTE FUNCTION public.hold()`); err != nil {
		t.Fatal(err)
	}
	release = func() { _ = conn.Close(context.WithoutCancel(t.Context())) } // which gives the lock back
	t.Cleanup(release)
	return release
}

// awaitHeld waits until so many sessions wait for a lock.
func (c *contract) awaitHeld(t *testing.T, sessions int) {
	t.Helper()
	within(t, jobPatience, fmt.Sprintf("%d sessions wait for a lock", sessions), func() bool {
		n, err := strconv.Atoi(c.sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock'"))
		return err == nil && n >= sessions
	})
}

func (c *contract) databaseURL() string {
	u := url.URL{
		Scheme: "postgres", Host: fmt.Sprintf("localhost:%d", c.ports["POSTGRES_PORT"]), Path: "/shop", RawQuery: "sslmode=disable",
		User: url.UserPassword("postgres", strings.TrimSpace(c.mustRun("config", "get", "POSTGRES_PASSWORD", "--reveal"))),
	}
	return u.String()
}

// mails returns the mails to an address, decoded.
func (c *contract) mails(t *testing.T, to string) []string {
	t.Helper()
	api := fmt.Sprintf("http://localhost:%d/api/v1/", c.ports["MAILPIT_UI_PORT"])
	_, data := c.get(t, api+"messages")
	var list struct {
		Messages []struct {
			ID string
			To []struct{ Address string }
		}
	}
	if err := json.Unmarshal([]byte(data), &list); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range list.Messages {
		if len(m.To) != 1 || m.To[0].Address != to {
			continue
		}
		_, raw := c.get(t, api+"message/"+m.ID+"/raw")
		found = append(found, strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(raw))
	}
	return found
}

// asynchronousReport declares the action as asynchronous: the engine then answers with an id of its own, and keeps the
// handler's answer, which has the job's id, for who asks for it.
func (c *contract) asynchronousReport(t *testing.T) {
	file := filepath.Join(c.dir, "hasura", "metadata", "actions.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kind := regexp.MustCompile(`(name: generateReport\s+definition:\s+kind: )synchronous`)
	changed := kind.ReplaceAll(data, []byte("${1}asynchronous"))
	if bytes.Equal(changed, data) {
		t.Fatalf("generateReport is not in\n%s", data)
	}
	if err := os.WriteFile(file, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	c.mustRun("up", "--driver", "native")
	var started struct {
		Data struct{ GenerateReport string }
	}
	c.graphql(t, `mutation { generateReport(input: {report_type: USERS, start_date: "2020-01-01", end_date: "2020-01-31"}) }`, &started)
	var answer struct {
		Data struct {
			GenerateReport struct {
				Errors any
				Output *struct {
					Success bool
					JobID   string `json:"job_id"`
					Status  string
				}
			}
		}
	}
	within(t, jobPatience, "the engine has the handler's answer", func() bool {
		c.graphql(t, fmt.Sprintf(`query { generateReport(id: %q) { errors output { success job_id status } } }`, started.Data.GenerateReport), &answer)
		return answer.Data.GenerateReport.Output != nil || answer.Data.GenerateReport.Errors != nil
	})
	if out := answer.Data.GenerateReport.Output; out == nil || !out.Success || out.Status != "QUEUED" {
		t.Fatalf("the answer is %+v", answer)
	}
	c.awaitJob(t, answer.Data.GenerateReport.Output.JobID, "SUCCEEDED")
}

// graphql asks the engine as its administrator.
func (c *contract) graphql(t *testing.T, query string, into any) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		fmt.Sprintf("http://localhost:%d/v1/graphql", c.ports["HASURA_PORT"]), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Hasura-Admin-Secret", c.secret)
	status, data, err := roundTrip(req)
	if err == nil {
		err = json.Unmarshal([]byte(data), into)
	}
	if err != nil || status != http.StatusOK || strings.Contains(data, `"errors":[`) {
		t.Fatalf("%s: got status %d, %s, %v", query, status, data, err)
	}
}

func (c *contract) uploads(t *testing.T) {
	csv := []byte("\ufeffn,t\r\n 1 ,x\r\n-2.5,\r\n\r\n1e3,\"a\nb\"\r\n.5\r\n")
	got := c.call(t, "<new>", "uploadAndProcessFile", fmt.Sprintf(
		`{"input":{"file_name":"Größe 1.csv","file_type":"text/csv","file_size":%d,"file_data":%q}}`, len(csv), base64.StdEncoding.EncodeToString(csv)))
	link, _ := got["file_url"].(string)
	if status, data := c.get(t, link); status != http.StatusOK || data != string(csv) {
		t.Errorf("%s: got status %d, %q", link, status, data)
	}
	done := c.awaitJob(t, got["processing_job_id"], "SUCCEEDED")
	link, _ = done["result_url"].(string)
	var stats, want any
	_, data := c.get(t, link)
	const expected = `{"rows":4,"columns":[{"name":"n","empty":0,"numeric":4,"min":-2.5,"max":1000},` +
		`{"name":"t","empty":2,"numeric":0,"min":null,"max":null}]}`
	if err := json.Unmarshal([]byte(data), &stats); err != nil || json.Unmarshal([]byte(expected), &want) != nil ||
		fmt.Sprint(stats) != fmt.Sprint(want) || done["kind"] != "file" {
		t.Errorf("%s: got %s, %v\nwant %s", link, data, err, expected)
	}

	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 300, 601))); err != nil {
		t.Fatal(err)
	}
	got = c.call(t, "<new>", "uploadAndProcessFile", fmt.Sprintf(
		`{"input":{"file_name":"a.png","file_type":"image/png","file_size":%d,"file_data":%q,"processing_options":{"thumbnail_height":100}}}`,
		picture.Len(), base64.StdEncoding.EncodeToString(picture.Bytes())))
	done = c.awaitJob(t, got["processing_job_id"], "SUCCEEDED")
	link, _ = done["result_url"].(string)
	_, data = c.get(t, link)
	cfg, format, err := image.DecodeConfig(strings.NewReader(data))
	if err != nil || format != "png" || cfg.Width != 50 || cfg.Height != 100 || !strings.Contains(link, "/thumbnail.png?") {
		t.Errorf("%s is a %s of %dx%d: %v", link, format, cfg.Width, cfg.Height, err)
	}

	for name, file := range map[string][]byte{"jpeg": turnedJPEG(t), "png": turnedPNG(t)} {
		got = c.call(t, "<new>", "uploadAndProcessFile", fmt.Sprintf(
			`{"input":{"file_name":"turned.%s","file_type":"image/%[1]s","file_size":%d,"file_data":%q,"processing_options":{"thumbnail_width":20}}}`,
			name, len(file), base64.StdEncoding.EncodeToString(file)))
		done = c.awaitJob(t, got["processing_job_id"], "SUCCEEDED")
		link, _ = done["result_url"].(string)
		_, data = c.get(t, link)
		small, _, err := image.Decode(strings.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		_, top, _, _ := small.At(10, 5).RGBA()
		_, bottom, _, _ := small.At(10, 35).RGBA()
		if size := small.Bounds().Size(); size != image.Pt(20, 40) || top > 0x4000 || bottom < 0xc000 {
			t.Errorf("an image that was taken upright has a thumbnail of %v, green %#x at the top and %#x at the bottom", size, top, bottom)
		}
	}

	half := picture.Bytes()[:60]
	got = c.call(t, "<new>", "uploadAndProcessFile", fmt.Sprintf(
		`{"input":{"file_name":"a.png","file_type":"image/png","file_size":60,"file_data":%q}}`, base64.StdEncoding.EncodeToString(half)))
	done = c.awaitJob(t, got["processing_job_id"], "FAILED")
	if done["message"] != "Job failed" || done["error"] != "The file could not be processed" || done["attempts"] != 1.0 ||
		done["result_url"] != nil || done["success"] != true {
		t.Errorf("half an image: %v", done)
	}
}

// upright says, in EXIF, that an image is to be turned by 90 degrees, clockwise.
const upright = "MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"

// lying is red on the left and white on the right, so that it is red at the top when it is turned.
func lying() image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 80, 40))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(0, 0, 40, 40), image.NewUniform(color.RGBA{R: 255, A: 255}), image.Point{}, draw.Src)
	return img
}

func turnedJPEG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, lying(), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	segment := "\xff\xe1" + string(binary.BigEndian.AppendUint16(nil, uint16(len(upright)+8))) + "Exif\x00\x00" + upright
	return slices.Insert(b.Bytes(), 2, []byte(segment)...) // behind the start of the image
}

func turnedPNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, lying()); err != nil {
		t.Fatal(err)
	}
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(upright)))
	chunk = append(chunk, "eXIf"+upright...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return slices.Insert(b.Bytes(), 33, chunk...) // behind the header
}

// A worker says every few seconds that it is at its job, also while that waits.
func (c *contract) heartbeat(t *testing.T) {
	release := c.holdJobsWhen(t, "old.status = 'QUEUED' AND new.status = 'RUNNING'")
	id := c.startReport(t, "admin", 2015)
	c.awaitHeld(t, 1)
	unlock := c.lockUsers(t)
	release()
	beats := map[string]bool{}
	within(t, jobPatience, "three heartbeats", func() bool {
		beats[c.sql("select updated_at from jobs where status = 'RUNNING' and id = '"+id+"'")] = true
		delete(beats, "") // not begun
		return len(beats) > 3
	})
	unlock()
	c.awaitJob(t, id, "SUCCEEDED")
}

var invitationLink = regexp.MustCompile(`http://localhost:\d+/accept-invitation\?token=[\w-]{43}`)

func (c *contract) invitations(t *testing.T) {
	got := c.call(t, "admin", "bulkCreateUsers", `{"input":{"send_invitations":true,"users":[
		{"email":"invited1@example.com","name":"I & <b>"},{"email":"invited2@example.com","name":"Two"}]}}`)
	if got["created_count"] != 2.0 {
		t.Fatalf("got %v", got)
	}
	var link string
	within(t, jobPatience, "two invitations arrive", func() bool {
		mails := c.mails(t, "invited1@example.com")
		if len(mails) == 1 && len(c.mails(t, "invited2@example.com")) == 1 {
			link = invitationLink.FindString(mails[0])
			return true
		}
		return false
	})
	within(t, jobPatience, "it is noted that they are out, which makes the links good", func() bool {
		return c.sql("select count(sent_at) from invitations join users u on u.id = user_id where u.email like 'invited_@example.com'") == "2"
	})
	if status, page := c.get(t, link); status != http.StatusOK || !strings.Contains(page, "Choose a password") {
		t.Fatalf("%q: got status %d\n%s", link, status, page)
	}
	_, token, _ := strings.Cut(link, "token=")
	for _, tt := range []struct {
		password string
		status   int
		text     string
	}{
		{"short", http.StatusBadRequest, "Password must be at least 8 characters."},
		{"password123", http.StatusOK, "Password saved"},
		{"password456", http.StatusGone, "Link already used"},
	} {
		form := url.Values{"token": {token}, "password": {tt.password}}.Encode()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/accept-invitation", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if status, page, err := roundTrip(req); status != tt.status || !strings.Contains(page, tt.text) {
			t.Errorf("password %q: got status %d, %v\n%s", tt.password, status, err, page)
		}
	}
	if got := c.sql("select email_verified, password_hash like '$argon2id$%' from users where email = 'invited1@example.com'"); got != "t|t" {
		t.Errorf("after the invitation was accepted: %s", got)
	}
	if n := len(c.mails(t, "invited1@example.com")); n != 1 {
		t.Errorf("%d mails to one user", n)
	}
}

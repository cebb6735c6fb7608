package actions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// savedCall is a call that was made once, and how it has to end.
type savedCall struct {
	Action  string            `json:"action"`
	Path    string            `json:"path"`
	Input   json.RawMessage   `json:"input"`
	Session map[string]string `json:"session_variables"`
	Expect  struct {
		Status  int   `json:"status"`
		Success *bool `json:"success"` // nil: not looked at
	} `json:"expect"`
}

// TestSavedCalls makes the calls in testdata/calls again. nself action replay --save-test puts them there.
func TestSavedCalls(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "calls", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var call savedCall
			if err := json.Unmarshal(data, &call); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			body, err := json.Marshal(map[string]any{
				"action": map[string]string{"name": call.Action}, "input": call.Input, "session_variables": call.Session,
				"request_query": "",
			})
			if err != nil {
				t.Fatal(err)
			}
			status, answer := newService(t, serviceOptions{}).do(t, "POST", "/actions/"+call.Path, string(body))
			if status != call.Expect.Status {
				t.Errorf("status %d, want %d\n%s", status, call.Expect.Status, answer)
			}
			var got struct {
				Success *bool `json:"success"`
			}
			_ = json.Unmarshal(answer, &got) // an answer that is no object has no success
			if want := call.Expect.Success; want != nil && (got.Success == nil || *got.Success != *want) {
				t.Errorf("success is not %t\n%s", *want, answer)
			}
		})
	}
}

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// testCase is a call that a service's own tests make again.
type testCase struct {
	Action  string            `json:"action"`
	Path    string            `json:"path"`
	Input   json.RawMessage   `json:"input"`
	Session map[string]string `json:"session_variables"`
	Expect  testExpectation   `json:"expect"`
}

type testExpectation struct {
	Status  int   `json:"status"`
	Success *bool `json:"success,omitempty"`
}

// testPlace is where a runtime's test of saved calls is, and the folder of its cases.
type testPlace struct{ test, cases string }

func testPlaces() map[string]testPlace {
	return map[string]testPlace{
		"golang": {"functions/golang/actions/saved_calls_test.go", "functions/golang/actions/testdata/calls"},
		"nestjs": {"functions/nestjs/test/saved-calls.e2e-spec.ts", "functions/nestjs/test/calls"},
		"python": {"functions/python/tests/test_saved_calls.py", "functions/python/tests/calls"},
	}
}

// saveTestCase saves a call as a case of the service that handles it, and returns the path of the file.
func saveTestCase(cfg *env.Config, md *metadata.Metadata, a *metadata.Action, e calllog.Entry) ([]string, error) {
	place, known := testPlaces()[build.RuntimeOf(cfg, a.Definition.Handler)]
	if !known {
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("%s: the handler %q is none of the project's services", a.YAMLPos, a.Definition.Handler),
			"save tests where that handler is written"))
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, filepath.FromSlash(place.test))); errors.Is(err, fs.ErrNotExist) {
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("save the test case: %s, which runs saved calls, is missing", place.test), "run nself build to write it"))
	}
	c := testCase{
		Action: a.Name, Path: path.Base(a.Definition.Handler), Input: e.Input, Session: knownSession(e),
		Expect: testExpectation{Status: http.StatusOK},
	}
	if hasSuccess(md, a) {
		yes := true
		c.Expect.Success = &yes
	}
	doc, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("save the test case: %w", err)
	}
	name := path.Join(place.cases, metadata.Kebab(a.Name)+"-"+e.ID+".json")
	full := filepath.Join(cfg.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return nil, fmt.Errorf("save the test case: %w", err)
	}
	if err := os.WriteFile(full, append(doc, '\n'), 0o644); err != nil {
		return nil, fmt.Errorf("save the test case: %w", err)
	}
	return []string{name}, nil
}

// knownSession is the session without what was not kept.
func knownSession(e calllog.Entry) map[string]string {
	session := map[string]string{"x-hasura-role": e.Role}
	maps.Copy(session, e.Session)
	maps.DeleteFunc(session, func(_, value string) bool { return strings.Contains(value, calllog.Redacted) })
	return session
}

// hasSuccess tells whether the action's output has a field success.
func hasSuccess(md *metadata.Metadata, a *metadata.Action) bool {
	output := strings.Trim(a.Definition.OutputType, "[]!")
	return slices.ContainsFunc(md.CustomTypes.Objects, func(o metadata.Object) bool {
		return o.Name == output && slices.ContainsFunc(o.Fields, func(f metadata.Field) bool { return f.Name == "success" })
	})
}

package codegen

import (
	"bytes"
	"fmt"
	"strings"
)

// Stub returns a handler to start from, for the action of that name, and its test. The handler compiles and answers that
// it is not implemented yet, naming the file to edit; the test runs it.
func (g *Go) Stub(action string) (code, test []byte, err error) {
	for _, a := range g.actions {
		if a.Name != action {
			continue
		}
		if code, err = formatted(g.stub(a)); err != nil {
			return nil, nil, err
		}
		test, err = formatted(g.stubTest(a))
		return code, test, err
	}
	return nil, nil, fmt.Errorf("generate Go code: action %q is not among the input", action)
}

func (g *Go) stub(a goAction) *bytes.Buffer {
	var b bytes.Buffer
	b.WriteString("package actions\n\nimport (\n\t\"context\"\n")
	if strings.Contains(a.out, "json.") {
		b.WriteString("\t\"encoding/json\"\n")
	}
	fmt.Fprintf(&b, "\n\t%q\n)\n", g.in.Module+"/internal/action")
	fmt.Fprintf(&b, "\n// %sHandler implements the action %s.\n", a.name, a.Name)
	if a.Comment != "" {
		b.WriteString("//\n")
		comment(&b, "", a.Comment)
	}
	fmt.Fprintf(&b, `type %[1]sHandler struct {
	deps Deps
}

// New%[1]s makes the handler.
func New%[1]s(d Deps) *%[1]sHandler { return &%[1]sHandler{deps: d} }

// Handle answers one call. req.Args holds the arguments, req.Session tells who calls. A business rule that fails is an
// answer; an *action.Error becomes a GraphQL error; any other error is logged and hidden from the caller.
func (h *%[1]sHandler) Handle(_ context.Context, req *action.Request[%[2]s]) (%[3]s, error) {
	return %[4]s, action.NotImplemented(req.Action, %[5]q)
}
`, a.name, a.args, a.out, zero(a.out), g.in.Dir+"/"+GoFile(a.Name))
	return &b
}

// zero is the zero value of the types that an action can answer with.
func zero(goType string) string {
	switch {
	case strings.HasPrefix(goType, "*"), strings.HasPrefix(goType, "[]"), goType == "any":
		return "nil"
	case goType == "bool":
		return "false"
	case goType == "int", goType == "float64":
		return "0"
	default: // string, json.Number and enums
		return `""`
	}
}

func (g *Go) stubTest(a goAction) *bytes.Buffer {
	var b bytes.Buffer
	fmt.Fprintf(&b, `package actions

import (
	"errors"
	"log/slog"
	"testing"

	%[1]q
)

// Test%[2]s says what the handler does now: nothing. Replace it along with the handler.
func Test%[2]s(t *testing.T) {
	t.Parallel()
	h := New%[2]s(Deps{Log: slog.New(slog.DiscardHandler)})
	_, err := h.Handle(t.Context(), &action.Request[%[3]s]{Action: %[4]q})
	got, ok := errors.AsType[*action.Error](err)
	if !ok || got.Code != action.CodeNotImplemented {
		t.Errorf("got error %%v, want code %%s", err, action.CodeNotImplemented)
	}
}
`, g.in.Module+"/internal/action", a.name, a.args, a.Name)
	return &b
}

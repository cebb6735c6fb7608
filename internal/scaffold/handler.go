package scaffold

import (
	"path"
	"slices"

	"github.com/nself-org/nself/internal/codegen"
	"github.com/nself-org/nself/internal/metadata"
)

// Handler says where an action is implemented in a project.
type Handler struct {
	// Path is the file, relative to the project.
	Path string
	// Text begins the line that defines it; it tells a handler that has moved to another file of the folder from one that
	// is missing. Empty: the list of handlers imports it from this very file.
	Text string
}

// HandlerOf returns the handler of an action among the rendered files of its runtime, and whether there is one.
func HandlerOf(runtime, action string, rendered []File) (Handler, bool) {
	var h Handler
	switch runtime {
	case "golang":
		h = Handler{path.Join(goDir, codegen.GoFile(action)), "func New" + metadata.Pascal(action) + "("}
	case nestRuntime:
		h.Path = nestHandler(action, rendered)
	case "python":
		h.Path = path.Join(pyDir, codegen.PyFile(action))
	}
	return h, hasFile(rendered, h.Path)
}

func hasFile(files []File, p string) bool {
	return slices.ContainsFunc(files, func(f File) bool { return f.Path == p })
}

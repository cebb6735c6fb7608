package scaffold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// ServiceInput describes a function service.
type ServiceInput struct {
	// Project is the project's name, see [ProjectName].
	Project string
	// Actions are those whose handler points at this service.
	Actions []metadata.Action
	// Types are all custom types of the project.
	Types metadata.CustomTypes
}

// renderers holds the runtimes that this version has a template for. Each returns files relative to the project.
var renderers = map[string]func(ServiceInput) ([]File, error){
	"golang": golangService,
	"python": pythonService,
	"nestjs": nestService,
}

// Service renders the function service of a runtime, under functions/<runtime>: the service itself, the code that is
// generated from the actions' types, and a handler with its test for every action. A documented action whose types fit
// brings its implementation, any other a typed stub. Files come sorted by path. It returns an error of class
// [errdefs.ErrInvalid] for a runtime without a template and for types that cannot be generated.
func Service(runtime string, in ServiceInput) ([]File, error) {
	render, ok := renderers[runtime]
	if !ok {
		return nil, errdefs.WithHint(
			errdefs.As(errdefs.ErrInvalid, fmt.Errorf("runtime %q: this version of nself has no template for it", runtime)),
			"use one of "+strings.Join(runtimeNames, ", ")+", or switch the runtime off in .env.local")
	}
	files, err := render(in)
	if err != nil {
		return nil, fmt.Errorf("render functions/%s: %w", runtime, err)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

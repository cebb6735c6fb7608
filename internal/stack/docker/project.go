package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/compose/v5/pkg/api"

	"github.com/nself-org/nself/internal/compose"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// overrideNames are the files that Compose merges over docker-compose.yml by itself.
var overrideNames = []string{compose.OverrideFileName, "docker-compose.override.yaml"} //nolint:gochecknoglobals // constant

// load makes the Compose project: the model of the configuration as it is now, under the user's override file. What
// docker-compose.yml holds is that same model as of the last build; taking it from the configuration means that a
// changed setting counts at once. Secrets enter the containers' environment here, in memory.
func load(ctx context.Context, cfg *env.Config) (*types.Project, error) {
	model, err := render(cfg)
	if err != nil {
		return nil, err
	}
	details := types.ConfigDetails{
		WorkingDir:  cfg.Dir,
		Environment: environment(cfg),
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(cfg.Dir, compose.FileName), Content: model}},
	}
	for _, name := range overrideNames {
		path := filepath.Join(cfg.Dir, name)
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read %s: %w", name, err))
		}
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: path, Content: content})
		break
	}
	project, err := loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName(cfg.ProjectName, true)
		o.Profiles = []string{"*"}
	})
	if err != nil {
		if len(details.ConfigFiles) > 1 {
			name := filepath.Base(details.ConfigFiles[1].Filename)
			return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: %s", name, firstLine(err.Error())),
				"mend "+name+"; docker compose config shows how it is read"))
		}
		return nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read the Compose model: %w", err))
	}
	files := make([]string, len(details.ConfigFiles))
	for i, f := range details.ConfigFiles {
		files[i] = f.Filename
	}
	for name, s := range project.Services {
		s.CustomLabels = map[string]string{
			api.ProjectLabel: project.Name, api.ServiceLabel: name, api.VersionLabel: api.ComposeVersion,
			api.WorkingDirLabel: project.WorkingDir, api.ConfigFilesLabel: strings.Join(files, ","), api.OneoffLabel: "False",
		}
		project.Services[name] = s
	}
	project.ComposeFiles = files
	return project, nil
}

// render writes the model with the private variables in place of the files that hold them.
func render(cfg *env.Config) ([]byte, error) {
	model := compose.Project(cfg)
	for _, f := range compose.EnvFiles(cfg) {
		vars, err := dotenv.UnmarshalBytesWithLookup(f.Data, nil)
		if err != nil {
			return nil, fmt.Errorf("read the variables of %s: %w", f.Path, err)
		}
		for name, s := range model.Services {
			if compose.EnvPath(name) != f.Path {
				continue
			}
			s.EnvFiles = nil
			merged := types.MappingWithEquals{}
			for k, v := range vars {
				merged[k] = &v
			}
			maps.Copy(merged, s.Environment) // environment wins over env_file, as in Compose
			s.Environment = merged
			model.Services[name] = s
		}
	}
	content, err := compose.Marshal(model)
	if err != nil {
		return nil, err
	}
	return bytes.TrimSpace(content), nil
}

// environment is what an override file can refer to: the project's settings under the process's own.
func environment(cfg *env.Config) types.Mapping {
	vars := types.Mapping{}
	for _, v := range cfg.Values() {
		if v.Text != "" {
			vars[v.Key] = v.Text
		}
	}
	for _, kv := range os.Environ() {
		if key, value, ok := strings.Cut(kv, "="); ok {
			vars[key] = value
		}
	}
	return vars
}

// chosen names the wanted services with all that they depend on, in the order in which they start; all of the project
// when names is empty.
func chosen(project *types.Project, names []string) ([]string, error) {
	if len(names) == 0 {
		names = project.ServiceNames()
	}
	var order []string
	done := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		s, ok := project.Services[name]
		if !ok {
			return unknownService(name, project)
		}
		if done[name] {
			return nil
		}
		done[name] = true
		for _, dep := range slices.Sorted(maps.Keys(s.DependsOn)) {
			if err := add(dep); err != nil {
				if !s.DependsOn[dep].Required {
					continue
				}
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func unknownService(name string, project *types.Project) error {
	hint := "the services of this project are " + strings.Join(project.ServiceNames(), ", ")
	switch name {
	case "golang", "nestjs", "python", stack.Redis:
		hint += fmt.Sprintf("; set %s_ENABLED=true in .env to have %s", strings.ToUpper(name), name)
	case stack.Mail:
		hint += "; set MAILPIT_ENABLED=true in .env to have mailpit"
	}
	return errdefs.WithHint(fmt.Errorf("%w: the project has no service %q", errdefs.ErrUsage, name), hint)
}

// known fails for a name that is no service of the project.
func known(cfg *env.Config, names []string) error {
	model := compose.Project(cfg)
	for _, n := range names {
		if _, ok := model.Services[n]; !ok {
			return unknownService(n, model)
		}
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

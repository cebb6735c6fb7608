package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/metadata"
)

// completeRoles completes the roles that the project's actions name.
func (f *Factory) completeRoles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return f.completeFrom(func(a *metadata.Action) []string {
		roles := make([]string, len(a.Permissions))
		for i, p := range a.Permissions {
			roles[i] = p.Role
		}
		return roles
	})
}

// completeHeaders completes the names of the headers that the project's actions send.
func (f *Factory) completeHeaders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return f.completeFrom(func(a *metadata.Action) []string {
		names := make([]string, len(a.Definition.Headers))
		for i, h := range a.Definition.Headers {
			names[i] = h.Name
		}
		return names
	})
}

func (f *Factory) completeFrom(names func(*metadata.Action) []string) ([]string, cobra.ShellCompDirective) {
	dir, err := f.ProjectDir()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	md, _ := metadata.LoadDir(dir)
	if md == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for i := range md.Actions {
		all = append(all, names(&md.Actions[i])...)
	}
	slices.Sort(all)
	return slices.Compact(all), cobra.ShellCompDirectiveNoFileComp
}

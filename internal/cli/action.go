package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

func newActionCmd(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "action",
		Short: "Declare, scaffold, look at and call actions",
		Example: `  nself action new registerUser --runtime golang
  nself action list
  nself action test registerUser --input @input.json`,
	}
	cmd.AddCommand(
		newActionNewCmd(f, runActionNew),
		newActionModifyCmd(f, runActionModify),
		newActionRemoveCmd(f, runActionRemove),
		newActionRenameCmd(f, runActionRename),
		newActionImportCmd(f, runActionImport),
		newActionListCmd(f, runActionList),
		newActionShowCmd(f, runActionShow),
		newActionCheckCmd(f, runActionCheck),
		newActionTestCmd(f, runActionTest),
		newActionCallsCmd(f, runActionCalls),
		newActionReplayCmd(f, runActionReplay),
		newActionApplyCmd(f, runActionApply),
		newActionDiffCmd(f, runActionDiff),
		newActionExportCmd(f, runActionExport),
	)
	return cmd
}

// findAction looks an action up by name, with a suggestion when it is not there.
func findAction(md *metadata.Metadata, name string) (*metadata.Action, error) {
	names := make([]string, len(md.Actions))
	for i := range md.Actions {
		if md.Actions[i].Name == name {
			return &md.Actions[i], nil
		}
		names[i] = md.Actions[i].Name
	}
	err := fmt.Errorf("action %q is not declared in %s", name, metadata.SDLFile)
	hint := "declare it with nself action new " + name
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s? Otherwise %s", near, hint)
	}
	return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(err, hint))
}

// completeActions completes the names of the project's actions.
func (f *Factory) completeActions(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	dir, err := f.ProjectDir()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	md, _ := metadata.LoadDir(dir)
	if md == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, len(md.Actions))
	for i := range md.Actions {
		names[i] = md.Actions[i].Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

package metadata

import (
	"fmt"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// ParseEntry reads one entry of the list in actions.yaml, a YAML mapping that is not indented. Arguments and types are not
// part of it. file names the text in errors.
func ParseEntry(text, file string) (Action, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	list := "actions:\n  - " + strings.Join(lines, "\n    ") + "\n"
	parsed, problems := parseActionsYAML([]byte(list), file)
	if err := problems.Err(); err != nil {
		return Action{}, err
	}
	if len(parsed.actions) != 1 {
		return Action{}, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("%s: expected one action, found %d", file, len(parsed.actions)))
	}
	return parsed.actions[0], nil
}

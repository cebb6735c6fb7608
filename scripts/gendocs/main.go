// Command gendocs writes the references of docs/ from the program itself: docs/cli, a page per command, and
// docs/configuration.md, the settings.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra/doc"

	"github.com/nself-org/nself/internal/cli"
	"github.com/nself-org/nself/internal/env"
)

func main() {
	if err := run("docs"); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	commands := filepath.Join(dir, "cli")
	if err := os.RemoveAll(commands); err != nil {
		return err
	}
	if err := os.MkdirAll(commands, 0o755); err != nil {
		return err
	}
	if err := doc.GenMarkdownTree(cli.Tree(), commands); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "configuration.md"), []byte(configuration()), 0o644)
}

// intro opens the page of settings.
const intro = `# Configuration

nself reads the process environment, then ` + "`.env.local`" + `, then ` + "`.env.$ENV`" + ` (` + "`.env.dev`, `.env.staging`, `.env.prod`" + `),
then ` + "`.env`" + `, then the defaults below; the first that sets a key wins. ` + "`.env`" + ` is committed and holds no secrets;
` + "`.env.local`" + ` is one machine's own. Note for users of the original nself: there, ` + "`.env`" + ` was the strongest file.

Values are text: nothing in them is ever run. ` + "`$NAME`" + ` and ` + "`${NAME}`" + ` outside single quotes stand for a value set above or in a
weaker file. ` + "`nself config show`" + ` prints every value with the file and line that it comes from, ` + "`nself config explain KEY`" + `
tells why, ` + "`nself config validate`" + ` names every problem at once. Keys that are not listed here are passed to the function
services and to the engine, which resolves ` + "`{{NAME}}`" + ` in metadata with them.
`

// configuration writes the page from the table that also drives reading and validation.
func configuration() string {
	var b strings.Builder
	b.WriteString(intro)
	group := env.Group("")
	for _, key := range env.Keys() {
		if key.Group != group {
			group = key.Group
			fmt.Fprintf(&b, "\n## %s\n\n| key | default | meaning |\n| --- | --- | --- |\n", strings.ToUpper(string(group[:1]))+string(group[1:]))
		}
		meaning := key.Doc
		if key.Rule != "" {
			meaning += "; " + key.Rule
		}
		if key.Secret {
			meaning += " (secret)"
		}
		if key.Required {
			meaning += " **required**"
		}
		fallback := key.Default
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key.Name, fallback, strings.ReplaceAll(meaning, "|", "\\|"))
	}
	return b.String()
}

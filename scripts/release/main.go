// Command release writes what packages hold beside the programs: manual pages and completions of shells.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/nself-org/nself/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: release DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	man, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, folder := range []string{man, completions} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	root := cli.Tree()
	header := &doc.GenManHeader{Title: "NSELF", Section: "1", Source: "nself", Manual: "nself manual"}
	if os.Getenv("SOURCE_DATE_EPOCH") == "" {
		now := time.Now()
		header.Date = &now
	}
	if err := doc.GenManTree(root, header, man); err != nil {
		return err
	}
	for name, generate := range shells(root) {
		if err := write(filepath.Join(completions, name), generate); err != nil {
			return err
		}
	}
	return nil
}

// shells are the files of completions with what writes each.
func shells(root *cobra.Command) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"nself.bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"nself.zsh":  root.GenZshCompletion,
		"nself.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	}
}

func write(path string, generate func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(generate(file), file.Close())
}

// Command nself scaffolds and runs function services for Hasura Actions.
package main

import (
	"os"

	"github.com/nself-org/nself/internal/cli"
)

func main() { os.Exit(cli.Main(nil)) }

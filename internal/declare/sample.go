package declare

import (
	"fmt"

	"github.com/nself-org/nself/internal/metadata"
)

// SampleSDL is a declaration to start from, for an action without SDL of its own: one input object, and an output in the
// form that handlers answer failures with.
func SampleSDL(name string, typ metadata.ActionType) string {
	root := "Mutation"
	if typ == metadata.Query {
		root = "Query"
	}
	stem := metadata.Pascal(name)
	return fmt.Sprintf(`type %[1]s {
  %[2]s(input: %[3]sInput!): %[3]sOutput
}

input %[3]sInput {
  name: String!
}

type %[3]sOutput {
  success: Boolean!
  message: String!
}
`, root, name, stem)
}

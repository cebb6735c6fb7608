package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeMetadata declares n actions in folder, as nself action new does: each with types of its own, a permission, a secret
// header and the transform that hands the session on. The first one is register, which benchGraphQL runs; it has no
// transform, which would be most of what a request costs.
func writeMetadata(folder string, n int) error {
	var fields, types, actions, inputs, objects strings.Builder
	for i := range n {
		name, suffix := "register", ""
		if i > 0 {
			name, suffix = fmt.Sprintf("register%05d", i), fmt.Sprintf("%05d", i)
		}
		fmt.Fprintf(&fields, "  %s(input: Register%sInput!): Register%[2]sOutput\n", name, suffix)
		fmt.Fprintf(&types, typesText, suffix)
		transform := ""
		if i > 0 {
			transform = transformText
		}
		fmt.Fprintf(&actions, actionText, name, transform)
		fmt.Fprintf(&inputs, "    - name: Register%sInput\n", suffix)
		fmt.Fprintf(&objects, "    - name: Register%sOutput\n    - name: User%[1]sInfo\n", suffix)
	}
	for name, text := range map[string]string{
		"version.yaml":    "version: 3\n",
		"actions.graphql": "type Mutation {\n" + fields.String() + "}\n" + types.String(),
		"actions.yaml": "actions:\n" + actions.String() + "custom_types:\n  input_objects:\n" + inputs.String() +
			"  objects:\n" + objects.String(),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

const typesText = `
input Register%[1]sInput {
  email: String!
  password: String!
  name: String!
  company: String
}

type Register%[1]sOutput {
  success: Boolean!
  user: User%[1]sInfo
  message: String!
  error_code: String
}

type User%[1]sInfo {
  id: uuid!
  email: String!
  name: String!
  email_verified: Boolean!
}
`

const actionText = `  - name: %s
    definition:
      kind: synchronous
      handler: '{{HANDLER}}/actions/register'
      headers:
        - name: X-Hasura-Admin-Secret
          value_from_env: HASURA_ADMIN_SECRET
%s    permissions:
      - role: public
    comment: Creates an account and sends a mail to verify its address
`

const transformText = `      request_transform:
        version: 2
        template_engine: Kriti
        request_headers:
          add_headers:
            X-Hasura-Role: '{{$session_variables[''x-hasura-role'']}}'
            X-Hasura-User-Id: '{{$session_variables?[''x-hasura-user-id''] ?? ""}}'
            X-Hasura-Session-Variables: '{{$session_variables}}'
`

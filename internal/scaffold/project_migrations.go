package scaffold

import "github.com/nself-org/nself/internal/metadata"

// Migrations renders the migrations of the documented actions in list whose implementation fits the project's types,
// by the action that needs them. An action that merely bears a documented name brings none.
func Migrations(list []metadata.Action, types metadata.CustomTypes) (map[string][]File, error) {
	present, _, err := implemented("", ServiceInput{Actions: list, Types: types})
	if err != nil {
		return nil, err
	}
	migrations := map[string][]File{}
	for name := range present {
		if doc, ok := Documented(name); ok {
			migrations[name] = doc.Migrations
		}
	}
	return migrations, nil
}

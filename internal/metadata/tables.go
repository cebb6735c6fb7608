package metadata

import "encoding/json"

// TrackedTables returns the tables that each source tracks, read from the document's sources. Sources that cannot be
// read are left out.
func (m *Metadata) TrackedTables() map[string][]Table {
	var sources []struct {
		Name   string `json:"name"`
		Tables []struct {
			Table json.RawMessage `json:"table"`
		} `json:"tables"`
	}
	raw, ok := m.Rest["sources"]
	if !ok || json.Unmarshal(raw, &sources) != nil {
		return nil
	}
	out := map[string][]Table{}
	for _, s := range sources {
		out[s.Name] = []Table{}
		for _, t := range s.Tables {
			if table, err := decodeTable(value{path: "$", raw: t.Table}); err == nil {
				out[s.Name] = append(out[s.Name], table)
			}
		}
	}
	return out
}

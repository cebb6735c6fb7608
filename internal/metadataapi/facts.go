package metadataapi

import "github.com/nself-org/nself/internal/metadata"

// facts are what the databases say about metadata; inconsistencies are its tracked tables that do not exist.
func (r *run) facts(md *metadata.Metadata) (metadata.Facts, []metadata.Inconsistency) {
	tracked := md.TrackedTables()
	var (
		facts           metadata.Facts
		inconsistencies []metadata.Inconsistency
	)
	facts.Tables = map[string][]metadata.Table{}
	catalogs := map[string]*catalog{}
	for source := range r.api.opt.Sources {
		if c := r.catalog(source); c != nil {
			catalogs[source] = c
			facts.Scalars = append(facts.Scalars, c.scalars...)
		} else {
			facts.Scalars = append(facts.Scalars, metadata.PostgresScalars()...)
		}
	}
	for _, source := range sortedKeys(tracked) {
		for _, t := range tracked[source] {
			if c := catalogs[source]; c != nil && !c.has(t) {
				inconsistencies = append(inconsistencies, missingTable(source, t))
				continue
			}
			facts.Tables[source] = append(facts.Tables[source], t)
		}
	}
	facts.HasColumn = func(source string, t metadata.Table, column string) bool {
		c := catalogs[source]
		return c == nil || c.columns[t][column]
	}
	return facts, inconsistencies
}

package database

import "strings"

// Schema makes schema texts of pg_dump comparable: without comments, settings, blank lines and what differs from run to run.
// A statement of several lines stays one block.
func Schema(dump string) string {
	var out []string
	for line := range strings.SplitSeq(dump, "\n") {
		switch {
		case strings.TrimSpace(line) == "",
			strings.HasPrefix(line, "--"),
			strings.HasPrefix(line, "SET "),
			strings.HasPrefix(line, "SELECT pg_catalog.set_config("),
			strings.HasPrefix(line, `\restrict`), strings.HasPrefix(line, `\unrestrict`): // with a token of that one run
			continue
		}
		out = append(out, strings.TrimRight(line, " \t\r"))
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "\n") + "\n"
}

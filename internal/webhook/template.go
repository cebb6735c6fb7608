package webhook

import "strings"

// Lookup finds an environment variable.
type Lookup func(name string) (value string, ok bool)

// Expand replaces each {{NAME}} in text by the environment variable of that name. Blanks inside the braces are part
// of the name, as in Hasura. missing names the variables that are not set, in order; then the text is incomplete.
func Expand(text string, lookup Lookup) (expanded string, missing []string) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}}")
		if !closed {
			break
		}
		b.WriteString(before)
		if value, ok := lookup(name); ok {
			b.WriteString(value)
		} else {
			missing = append(missing, name)
		}
		text = after
	}
	b.WriteString(text)
	return b.String(), missing
}

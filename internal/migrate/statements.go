package migrate

// Statements cuts SQL at its semicolons as psql does: not inside quotes, dollar quotes, comments, brackets, or the BEGIN
// ATOMIC body of a function. Empty statements are left out.
func Statements(sql string) []string {
	var out []string
	for _, s := range split(sql) {
		out = append(out, s.text)
	}
	return out
}

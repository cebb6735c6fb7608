package metadata

// ParseSDL reads the text of an actions.graphql: actions with their arguments, output type and kind of root field, and the
// custom types, with their descriptions. file names the text in errors, which are those of [Problems.Err]; warnings are left out.
func ParseSDL(text, file string) ([]Action, CustomTypes, error) {
	doc, problems := parseSDL(text, file)
	doc.types.setDescriptions(doc.typeDescriptions)
	return doc.actions, doc.types, problems.Err()
}

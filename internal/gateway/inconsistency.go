package gateway

// Inconsistency is a part of the metadata that is not served, and why. The fields are those of Hasura's answer to
// get_inconsistent_metadata.
type Inconsistency struct {
	// Definition is the part itself, as metadata has it.
	Definition any `json:"definition"`
	// Name is the kind and the name, such as "action placeOrder".
	Name string `json:"name"`
	// Reason is Hasura's text.
	Reason string `json:"reason"`
	// Type is the kind: "action", "custom_types".
	Type string `json:"type"`
}

// Package action is the domain of Hasura Actions: types, the coercion of arguments, the payload that a handler
// receives, and what its answer means. It does no I/O and holds no state; everything in it is safe for concurrent use
// once built.
//
// JSON is read and written as text. A request or an answer is checked once with [ValidJSON]; from there on values are
// slices of that text, copied to the output where they are selected, never decoded into maps.
package action

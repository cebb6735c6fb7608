// Package gateway serves Hasura's Actions over GraphQL and HTTP without Hasura: the same schema for each role, the
// same checks with the same messages, the same calls to handlers and the same answers.
//
// An [Engine] serves one immutable snapshot of metadata at a time; [Engine.Load] puts another one in its place while
// requests go on. A snapshot has a schema per role, and each schema remembers the operations that it has checked, so
// that a known operation costs a lookup, a call and a copy.
package gateway

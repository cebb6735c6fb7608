// Package actionlog owns the life of asynchronous actions: the entry that a mutation creates, the states it goes through
// and who may change them. [Memory] keeps entries in the process; the package postgres keeps them in the table that
// Hasura itself uses. The package actionlogtest says how a [Store] behaves.
package actionlog

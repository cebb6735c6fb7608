// Package conformance holds tests that run the gateway against case files in the YAML format of Hasura's own action
// tests: Hasura's files, where a folder with them is named in HASURA_CONFORMANCE_DIR, and this project's in testdata.
//
// A case file is one step or a list of steps. A step posts the JSON of its key query to its url, with its headers, and
// expects its status and its response. Files named *setup.yaml and *teardown.yaml hold one request each.
package conformance

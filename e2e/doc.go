// Package e2e runs the journeys of testdata/script on the built program, with real Postgres, Redis and function services.
package e2e

// Package webhook calls the handlers of actions over HTTP: which headers they get, how long they have, which redirects
// are followed, how much they may answer.
package webhook

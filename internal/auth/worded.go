package auth

// worded is an error in Hasura's words, which begin with a capital.
type worded struct {
	text  string
	cause error // may be nil
}

// Error returns the words, and the cause after a colon.
func (w *worded) Error() string {
	if w.cause == nil {
		return w.text
	}
	return w.text + ": " + w.cause.Error()
}

// Unwrap returns the cause.
func (w *worded) Unwrap() error { return w.cause }

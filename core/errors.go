package core

import "errors"

// A ConfigError is one mistake in a configuration.
type ConfigError struct {
	// Path is where it stands, such as policies.api.limits[2].window.
	Path string
	// Err says what was expected.
	Err error
}

// Error returns "path: what was expected"; of the whole configuration the path
// is empty and left out.
func (e *ConfigError) Error() string {
	if e.Path == "" {
		return OneLine(e.Err.Error())
	}
	return OneLine(e.Path + ": " + e.Err.Error())
}

// Unwrap returns Err.
func (e *ConfigError) Unwrap() error { return e.Err }

// ConfigErrors returns the mistakes that err joins, in the order in which they
// were found.
func ConfigErrors(err error) []*ConfigError {
	var one *ConfigError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*ConfigError
		for _, e := range joined.Unwrap() {
			all = append(all, ConfigErrors(e)...)
		}
		return all
	}
	if errors.As(err, &one) {
		return []*ConfigError{one}
	}
	return nil
}

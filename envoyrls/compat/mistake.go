package compat

import (
	"errors"
	"fmt"
)

// maxMistakes is how many mistakes are told at once.
const maxMistakes = 20

// mistakes are what is wrong with a configuration. Each has its file and line.
type mistakes struct {
	errs     []error
	omitted  int
	warnings []string
}

// A place is where in a file something stands; line 0 is the whole file.
type place struct {
	file string
	line int
}

func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// errorf records a mistake.
func (m *mistakes) errorf(at place, format string, args ...any) {
	if len(m.errs) == maxMistakes {
		m.omitted++
		return
	}
	m.errs = append(m.errs, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
}

// warnf records what has no effect.
func (m *mistakes) warnf(at place, format string, args ...any) {
	if len(m.warnings) < maxMistakes {
		m.warnings = append(m.warnings, fmt.Sprintf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
}

// err returns all mistakes, nil if there are none.
func (m *mistakes) err() error {
	errs := m.errs
	if m.omitted > 0 {
		errs = append(errs, fmt.Errorf("and %d more", m.omitted))
	}
	return errors.Join(errs...)
}

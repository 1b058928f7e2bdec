package caddymodule

import (
	"errors"
	"fmt"

	"github.com/weirhq/weir/core"
)

// check compiles the configuration and adds its mistakes, each where the
// Caddyfile has it.
func (p *parser) check(c *core.Config) {
	_, err := core.Compile(c)
	p.translate(err)
}

// translate adds the mistakes that err joins, with their paths in the JSON form
// translated to places in the Caddyfile.
func (p *parser) translate(err error) {
	for _, e := range core.ConfigErrors(err) {
		if t, ok := p.place(e.Path); ok {
			p.errs = append(p.errs, located(t, e.Err))
		} else {
			p.errs = append(p.errs, e)
		}
	}
	if err != nil && len(p.errs) == 0 {
		p.errs = append(p.errs, fmt.Errorf("%w", errors.Unwrap(err)))
	}
}

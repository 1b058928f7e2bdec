package bootstrap

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/caddymodule"
)

// errCannot says that a check found something, of which it has told already.
var errCannot = errors.New("not everything can be expressed")

// checkAll tells what Envoy cannot do of the named policy, or of all.
func (f *flags) checkAll(c *cobra.Command, config *caddymodule.Configuration, names []string) error {
	if len(names) == 0 {
		names = config.Policies()
	}
	cannot := false
	for _, text := range names {
		name, _, _ := strings.Cut(text, "=")
		lost, err := check(c.OutOrStdout(), config, name)
		if err != nil {
			return err
		}
		cannot = cannot || lost
	}
	if len(names) == 0 {
		return errors.New("the configuration has no policy")
	}
	if cannot {
		c.SilenceErrors = true
		return errCannot
	}
	return nil
}

// check tells what Envoy cannot do of a policy, and returns whether that is
// anything.
func check(w io.Writer, config *caddymodule.Configuration, name string) (lost bool, err error) {
	policy, contract, err := config.Policy(name)
	if err != nil {
		return false, err
	}
	n, err := newNeed(policy, contract)
	if err != nil {
		return false, err
	}
	all := findings(policy, n)
	for _, found := range all {
		lost = lost || found.Lost
		fmt.Fprintf(w, "%s: %s\n", name, found)
	}
	if !lost {
		fmt.Fprintf(w, "%s: everything can be expressed\n", name)
	}
	return lost, nil
}

package caddymodule

import (
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/core"
)

// Command returns the command `caddy weir`, to be registered with Caddy. Its
// subcommands are those of the packages that a build has.
func Command(subcommands ...*cobra.Command) caddycmd.Command {
	return caddycmd.Command{
		Name:  "weir",
		Usage: "<command>",
		Short: "Tools for the limits that Weir enforces",
		CobraFunc: func(c *cobra.Command) {
			c.AddCommand(subcommands...)
			c.Args = isNone
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		},
	}
}

// isNone refuses arguments, which are no commands.
func isNone(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return fmt.Errorf("there is no command %q of caddy weir%s", clip(args[0]), core.DidYouMean(args[0], names))
}

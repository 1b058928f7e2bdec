package bootstrap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/caddymodule"
	"github.com/weirhq/weir/core"
)

// Command returns `caddy weir envoy`.
func Command() *cobra.Command {
	f := new(flags)
	c := &cobra.Command{
		Use:   "envoy [POLICY[=DOMAIN]...] [--check]",
		Short: "Prints the Envoy configuration that enforces a policy, or checks what Envoy cannot do",
		Long: `
Prints, for a policy of a configuration, the configuration of Envoy (1.40 or
later) that enforces it through Weir as Envoy's Rate Limit Service: it sends
exactly what the policy reads of a request. It is complete and runs as it is;
--part prints one part of it, to be put into a configuration that you have.

The policy is one of the global option "weir", or one that a site defines. The
configuration needs a door for Envoy too, such as "envoy :8081". With DOMAIN it is
that of requests for this domain; several policies each have one.

With --check it says instead, a line each, what of the policies, or of all of them
if none is named, the Rate Limit Service cannot do ("cannot") and what works
otherwise than in Caddy ("differs"). The exit status is 1 if something cannot be
done, and 0 if everything can be expressed.`,
		Example: `  caddy weir envoy api >envoy.yaml && envoy -c envoy.yaml
  caddy weir envoy free=free.example.com paid=paid.example.com
  caddy weir envoy api --part virtual_host
  caddy weir envoy --check`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
		// A mistake in a configuration is none in the command's usage.
		SilenceUsage: true,
	}
	set := c.Flags()
	set.StringVarP(&f.config, "config", "c", "", "the configuration file (default: Caddyfile in this directory)")
	set.StringVarP(&f.adapter, "adapter", "a", "", "the adapter that reads it, unless it is a Caddyfile or JSON")
	set.BoolVar(&f.check, "check", false, "say what Envoy cannot do, and print no configuration")
	set.StringVar(&f.listen, "listen", defaultListen, "where Envoy listens for requests")
	set.StringVar(&f.admin, "admin", defaultAdmin, "where Envoy's admin page is")
	set.StringVar(&f.weir, "rls", "", "where Envoy asks Weir (default: the configuration's door for Envoy, or "+defaultWeir+")")
	set.StringVar(&f.ca, "rls-ca", "/etc/envoy/weir-ca.pem", "where Envoy finds the certificates that sign Weir's, if the door has tls")
	set.StringVar(&f.cert, "rls-cert", "/etc/envoy/cert.pem", "where Envoy finds its own certificate, if the door has client_ca")
	set.StringVar(&f.key, "rls-key", "/etc/envoy/key.pem", "where Envoy finds its own key, if the door has client_ca")
	set.StringVar(&f.origin, "upstream", defaultOrigin, "the origin behind Envoy")
	set.StringVar(&f.failure, "on-failure", "", `allow or deny requests while Weir cannot be reached (default: deny, or allow if the configuration has "on_store_error allow")`)
	set.StringVar(&f.part, "part", "", "print only this part: local_reply, http_filters, virtual_host or clusters")
	return c
}

// run prints what is asked for.
func (f *flags) run(c *cobra.Command, args []string) error {
	config, err := f.read()
	if err != nil {
		return err
	}
	if d, err := door(config); err == nil && d == nil {
		c.PrintErrf("the configuration has no door for Envoy yet: add \"envoy %s\" to the global option \"weir\"\n", defaultWeir)
	}
	if f.check {
		return f.checkAll(c, config, args)
	}
	if len(args) == 0 {
		return fmt.Errorf("name a policy%s", core.DidYouMean("", config.Policies()))
	}
	b, err := f.bootstrap(config, args)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := b.Write(&out, f.part); err != nil {
		return err
	}
	_, err = out.WriteTo(c.OutOrStdout())
	return err
}

// read reads the configuration.
func (f *flags) read() (*caddymodule.Configuration, error) {
	text, file, _, err := caddycmd.LoadConfig(f.config, f.adapter)
	if err != nil {
		return nil, located(f.config, err)
	}
	if len(text) == 0 {
		return nil, errors.New("there is no Caddyfile in this directory; name a configuration with --config")
	}
	config, err := caddymodule.ReadConfiguration(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return config, nil
}

// located adds the line to a mistake in a file of JSON.
func located(file string, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	text, readErr := os.ReadFile(file)
	if readErr != nil {
		return err
	}
	line := 1 + bytes.Count(text[:min(int64(len(text)), syntax.Offset)], []byte("\n"))
	return fmt.Errorf("%s:%d: %w", file, line, err)
}

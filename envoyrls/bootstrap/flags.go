package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/caddymodule"
	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/envoyrls"
)

const (
	defaultListen = "127.0.0.1:10000"
	defaultAdmin  = "127.0.0.1:9901"
	defaultWeir   = "127.0.0.1:8081"
	defaultOrigin = "127.0.0.1:9000"
	// defaultPort is the door's.
	defaultPort = 8081
)

// flags of the command.
type flags struct {
	config, adapter             string
	listen, admin, weir, origin string
	ca, cert, key               string
	part, failure               string
	check                       bool
}

// bootstrap makes the configuration for policies: names, or POLICY=DOMAIN.
func (f *flags) bootstrap(config *caddymodule.Configuration, names []string) (*Bootstrap, error) {
	b := &Bootstrap{Deny: config.OnStoreError != "allow"}
	for _, text := range names {
		name, domain, named := strings.Cut(text, "=")
		policy, contract, err := config.Policy(name)
		if err != nil {
			return nil, err
		}
		if len(names) > 1 && !named {
			return nil, fmt.Errorf("%s: of several policies each needs the domain of its requests, such as %s=%s.example.com", name, name, name)
		}
		n, err := newNeed(policy, contract)
		if err != nil {
			return nil, err
		}
		b.Hosts = append(b.Hosts, &Host{need: n, Domain: domain})
	}
	switch f.failure {
	case "":
	case "allow", "deny":
		b.Deny = f.failure == "deny"
	default:
		return nil, fmt.Errorf("--on-failure: unknown word %q%s", core.Clip(f.failure), core.DidYouMean(f.failure, []string{"allow", "deny"}))
	}
	return b, f.addresses(b, config)
}

// asked returns where Envoy asks Weir, and how.
func (f *flags) asked(config *caddymodule.Configuration) (address string, tls *TLS, err error) {
	address = defaultWeir
	d, err := door(config)
	if d != nil {
		address = d.Address
	}
	if f.weir != "" {
		address = f.weir
	}
	if d == nil || d.TLS == nil {
		return address, nil, err
	}
	tls = &TLS{CA: f.ca}
	if len(d.TLS.ClientCA) > 0 {
		tls.Certificate, tls.Key = f.cert, f.key
	}
	return address, tls, nil
}

// addresses fills in who listens where.
func (f *flags) addresses(b *Bootstrap, config *caddymodule.Configuration) (err error) {
	weir := ""
	if weir, b.TLS, err = f.asked(config); err != nil {
		return err
	}
	for _, a := range []struct {
		flag, text, host string
		port             uint
		to               *address
	}{
		{"listen", f.listen, "0.0.0.0", 0, &b.Listen},
		{"admin", f.admin, "127.0.0.1", 0, &b.Admin},
		{"rls", weir, "127.0.0.1", defaultPort, &b.Weir},
		{"upstream", f.origin, "127.0.0.1", 0, &b.Origin},
	} {
		if *a.to, err = parseAddress(a.text, a.host, a.port); err != nil {
			return fmt.Errorf("--%s: %w", a.flag, err)
		}
	}
	b.Weir, b.Origin = b.Weir.reached(), b.Origin.reached()
	if b.ClientIP() && b.Listen.pipe != "" {
		return errors.New("--listen: {client_ip} is read, and clients of a Unix socket have no address")
	}
	return nil
}

// door returns the configuration's first door for Envoy, nil if it has none.
func door(config *caddymodule.Configuration) (*envoyrls.Door, error) {
	for _, raw := range config.Doors {
		var named struct {
			Door string `json:"door"`
		}
		d := new(envoyrls.Door)
		err := json.Unmarshal(raw, &named)
		if err == nil && named.Door != "envoy" {
			continue
		}
		if err == nil {
			err = json.Unmarshal(raw, d)
		}
		if err == nil {
			d.Address, err = caddy.NewReplacer().ReplaceOrErr(d.Address, true, true)
		}
		if err != nil {
			return nil, fmt.Errorf("the door for Envoy: %w", err)
		}
		return d, nil
	}
	return nil, nil
}

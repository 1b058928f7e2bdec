package bootstrap

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// An address is where somebody listens.
type address struct {
	pipe string // a Unix socket's path; "" for TCP
	host string
	port uint
}

// parseAddress reads HOST:PORT, :PORT or unix/PATH, as Caddy spells them, with
// the host and port where there is none; port 0 must be there.
func parseAddress(text, host string, port uint) (address, error) {
	a, err := caddy.ParseNetworkAddressWithDefaults(text, "tcp", port)
	switch {
	case err != nil:
		return address{}, fmt.Errorf("%q is no address such as 127.0.0.1:8081 or unix//run/weir.sock: %w", text, err)
	case a.Network == "unix":
		return address{pipe: a.Host}, nil
	case !strings.HasPrefix(a.Network, "tcp") || a.PortRangeSize() != 1 || a.StartPort == 0:
		return address{}, fmt.Errorf("%q is no address such as 127.0.0.1:8081 or unix//run/weir.sock", text)
	}
	if a.Host == "" {
		a.Host = host
	}
	return address{host: a.Host, port: a.StartPort}, nil
}

// reached returns how Envoy, on the same machine, reaches somebody who listens
// on all interfaces.
func (a address) reached() address {
	if ip, err := netip.ParseAddr(a.host); err == nil && ip.IsUnspecified() {
		a.host = "127.0.0.1"
		if ip.Is6() {
			a.host = "::1"
		}
	}
	return a
}

// Named reports whether the host is a name, which must be resolved.
func (a address) Named() bool { return a.pipe == "" && net.ParseIP(a.host) == nil }

// Host is the host, "" of a Unix socket.
func (a address) Host() string { return a.host }

// String returns the address in YAML.
func (a address) String() string {
	if a.pipe != "" {
		return fmt.Sprintf("{ pipe: { path: %s } }", quote(a.pipe))
	}
	return fmt.Sprintf("{ socket_address: { address: %s, port_value: %d } }", quote(a.host), a.port)
}

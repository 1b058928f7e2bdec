package core

import (
	"net"
	"strings"
)

// HostOf returns a request's host without its port and the dot of the root domain,
// in lower case.
func HostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

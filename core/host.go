package core

import (
	"net"
	"strings"
)

// HostOf returns a request's host without its port, in lower case.
func HostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.ToLower(host)
}

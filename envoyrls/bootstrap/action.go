package bootstrap

import (
	"fmt"
	"strings"

	"github.com/weirhq/weir/core"
)

// An action is one of Envoy's rate limit actions, which makes one entry of a
// descriptor: a name of the oneof RateLimit.Action and its fields, in YAML.
type action struct {
	text string
	// header is the name of the request header that it sends, by way of the
	// dynamic metadata; "" for none.
	header string
	// foreign is the attribute that Envoy does not know, and for which the
	// action is a placeholder that a filter before must fill; "" for none.
	foreign string
}

// attributesNamespace is the dynamic metadata that placeholders are read from.
const attributesNamespace = "weir.attributes"

// actionFor returns the action that sends the fact; ok is false where Envoy
// cannot send it. A kind of fact that is unknown here is an error.
func actionFor(ref *core.Ref) (a action, ok bool, err error) {
	switch ref.Kind {
	case core.RefMethod:
		return pseudo(":method", "method"), true, nil
	case core.RefPath, core.RefQuery:
		return pseudo(":path", "path"), true, nil
	case core.RefHost:
		return pseudo(":authority", "host"), true, nil
	case core.RefClientIP:
		return action{text: "remote_address: {}"}, true, nil
	case core.RefHeader:
		return header(ref.Name), true, nil
	case core.RefCookie:
		return header("cookie"), true, nil
	case core.RefJSON:
		return action{}, false, nil
	case core.RefOther:
		return other(ref.Name), true, nil
	}
	return action{}, false, fmt.Errorf("{%s} is of a kind that Envoy's configuration does not provide for", ref.Text)
}

// pseudo sends a header that every request has.
func pseudo(name, key string) action {
	return action{text: fmt.Sprintf("request_headers: { header_name: %s, descriptor_key: %s }", quote(name), quote(key))}
}

// headersNamespace is the dynamic metadata that header fields are read from.
const headersNamespace = "weir.headers"

// header sends the fields of that name as one, if there is any. Envoy's action
// for headers sends the first alone: who sends two would be counted by the one,
// and the origin might take the other.
func header(name string) action {
	name = strings.ToLower(name)
	if name == "host" {
		return pseudo(":authority", "host")
	}
	a := metadata(headersNamespace, name, "header."+name)
	a.header = name
	return a
}

// firstHeader sends the first field of that name, if there is any.
func firstHeader(name string) action {
	return action{text: fmt.Sprintf("request_headers: { header_name: %s, descriptor_key: %s, skip_if_absent: true }", quote(name), quote("header."+name))}
}

// pseudoHeaders are those of Caddy's placeholders that Envoy has under another
// name.
var pseudoHeaders = map[string]string{
	"http.request.scheme":      ":scheme",
	"http.request.uri":         ":path",
	"http.request.orig_uri":    ":path",
	"http.request.orig_method": ":method",
	"http.request.hostport":    ":authority",
}

// other sends any other attribute, from metadata that somebody must provide.
func other(name string) action {
	if header, ok := pseudoHeaders[name]; ok {
		return pseudo(header, name)
	}
	a := metadata(attributesNamespace, name, name)
	a.foreign = name
	return a
}

// metadata sends what a filter has put into the dynamic metadata, if anything.
func metadata(namespace, key, entry string) action {
	return action{text: fmt.Sprintf(
		"metadata: { descriptor_key: %s, source: DYNAMIC, metadata_key: { key: %s, path: [{ key: %s }] }, skip_if_absent: true }",
		quote(entry), quote(namespace), quote(key))}
}

// constant sends the same text with every descriptor.
func constant(key, value string) action {
	return action{text: fmt.Sprintf("generic_key: { descriptor_key: %s, descriptor_value: %s }", quote(key), quote(value))}
}

package bootstrap

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/weirhq/weir/core"
)

// A Bootstrap is an Envoy in front of one origin, with a virtual host for each of
// its policies. Its methods and fields are what the template names.
type Bootstrap struct {
	Hosts                       []*Host
	Listen, Admin, Weir, Origin address
	// Deny says what becomes of requests while Weir cannot be reached.
	Deny bool
	// TLS encrypts what Envoy asks Weir; nil: nothing does.
	TLS *TLS
}

// A Host is a virtual host.
type Host struct {
	*need
	// Domain of its requests; "" for all.
	Domain string
}

// A TLS has the paths of files of Envoy's: the certificates that it trusts, and
// its own with its key, or none.
type TLS struct {
	CA, Certificate, Key string
}

//go:embed bootstrap.yaml
var text string

// Every value that comes from elsewhere is quoted; see quote.
var whole = template.Must(template.New("bootstrap").Funcs(template.FuncMap{
	"quote": quote, "quoteAll": quoteAll, "part": func(string, int, any) (string, error) { return "", nil },
}).Parse(text))

// Parts are those of a configuration that can be had alone, to be put into one
// that exists.
var Parts = []string{"local_reply", "http_filters", "virtual_host", "clusters"}

// Write writes the whole configuration, or one of Parts.
func (b *Bootstrap) Write(w io.Writer, part string) error {
	t, err := whole.Clone()
	if err != nil {
		return err
	}
	t.Funcs(template.FuncMap{"part": func(name string, indent int, data any) (string, error) {
		return indented(t, name, indent, data)
	}})
	if part == "" {
		return t.Execute(w, b)
	}
	if !slices.Contains(Parts, part) {
		return fmt.Errorf("there is no part %q%s", core.Clip(part), core.DidYouMean(part, Parts))
	}
	if part != "virtual_host" {
		return t.ExecuteTemplate(w, part, b)
	}
	for _, h := range b.Hosts {
		if err := t.ExecuteTemplate(w, part, h); err != nil {
			return err
		}
	}
	return nil
}

// indented returns a part with so many spaces before each line.
func indented(t *template.Template, name string, indent int, data any) (string, error) {
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return "", err
	}
	margin := strings.Repeat(" ", indent)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = margin + line
		}
	}
	return strings.Join(lines, "\n"), nil
}

// Command that prints this.
func (b *Bootstrap) Command() string {
	words := []string{"caddy weir envoy"}
	for _, h := range b.Hosts {
		word := h.Name()
		if h.Domain != "" {
			word += "=" + h.Domain
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// Name of the Envoy: that of its first policy.
func (b *Bootstrap) Name() string { return b.Hosts[0].Name() }

// ClientIP reports whether addresses of clients are sent.
func (b *Bootstrap) ClientIP() bool {
	return slices.ContainsFunc(b.Hosts, func(h *Host) bool { return h.need.ClientIP })
}

// Statuses of all hosts' answers, other than 429.
func (b *Bootstrap) Statuses() []int {
	return union(b.Hosts, func(h *Host) []int { return h.need.Statuses })
}

// Headers that are sent.
func (b *Bootstrap) Headers() []string { return union(b.Hosts, (*Host).headers) }

// Voice that is heard.
func (b *Bootstrap) Voice() []string {
	return union(b.Hosts, func(h *Host) []string { return h.need.Voice })
}

// union returns what the hosts have, sorted, once each.
func union[T cmp.Ordered](hosts []*Host, of func(*Host) []T) (all []T) {
	for _, h := range hosts {
		all = append(all, of(h)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Namespace of the dynamic metadata that has what Weir says of a request.
func (b *Bootstrap) Namespace() string { return metadataNamespace }

// VoiceNamespace of what the origin says to Weir.
func (b *Bootstrap) VoiceNamespace() string { return voiceNamespace }

// HeadersNamespace of header fields.
func (b *Bootstrap) HeadersNamespace() string { return headersNamespace }

// AttributesNamespace of attributes that Envoy does not know.
func (h *Host) AttributesNamespace() string { return attributesNamespace }

// Name of the policy.
func (h *Host) Name() string { return h.policy.Name }

// Domains of the virtual host.
func (h *Host) Domains() []string {
	if h.Domain == "" {
		return []string{"*"}
	}
	return []string{h.Domain, h.Domain + ":*"}
}

// Actions returns the texts of actions, for descriptors.
func (h *Host) Actions(all []action) (texts []string) {
	for _, a := range all {
		texts = append(texts, a.text)
	}
	return texts
}

// headers returns the names of the headers that are sent.
func (h *Host) headers() (names []string) {
	for _, a := range h.Request {
		if a.header != "" {
			names = append(names, a.header)
		}
	}
	return names
}

// Foreign returns the attributes that Envoy must be taught.
func (h *Host) Foreign() (names []string) {
	for _, a := range h.Request {
		if a.foreign != "" {
			names = append(names, a.foreign)
		}
	}
	return names
}

// Findings are what Envoy cannot do of the policy, or does otherwise.
func (h *Host) Findings() []finding { return findings(h.policy, h.need) }

// quote returns a text as a double-quoted scalar of YAML, which a string of
// JSON is (YAML 1.2, section 1.3).
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // strings always are JSON
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// quoteAll returns texts as a flow sequence.
func quoteAll(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

package bootstrap

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/weirhq/weir/core"
)

// A Bootstrap is what Envoy's configuration for a policy is made of. Its
// methods and fields are what the template names.
type Bootstrap struct {
	*need
	Listen, Admin, Weir, Origin address
	// Deny says what becomes of requests while Weir cannot be reached.
	Deny bool
	// TLS encrypts what Envoy asks Weir; nil: nothing does.
	TLS *TLS
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
	return t.ExecuteTemplate(w, part, b)
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

// Name of the policy.
func (b *Bootstrap) Name() string { return b.policy.Name }

// Namespace that Weir's metadata is kept in.
func (b *Bootstrap) Namespace() string { return metadataNamespace }

// VoiceNamespace that the origin's words are kept in.
func (b *Bootstrap) VoiceNamespace() string { return voiceNamespace }

// Actions returns the texts of actions, for descriptors.
func (b *Bootstrap) Actions(all []action) (texts []string) {
	for _, a := range all {
		texts = append(texts, a.text)
	}
	return texts
}

// Headers returns the names of the headers that are sent.
func (b *Bootstrap) Headers() (names []string) {
	for _, a := range b.Request {
		if a.header != "" {
			names = append(names, a.header)
		}
	}
	return names
}

// HeadersNamespace that header fields are read from.
func (b *Bootstrap) HeadersNamespace() string { return headersNamespace }

// Foreign returns the attributes that Envoy must be taught.
func (b *Bootstrap) Foreign() (names []string) {
	for _, a := range b.Request {
		if a.foreign != "" {
			names = append(names, a.foreign)
		}
	}
	return names
}

// Findings are what Envoy cannot do of the policy, or does otherwise.
func (b *Bootstrap) Findings() []finding { return findings(b.policy, b.need) }

// AttributesNamespace that foreign attributes are read from.
func (b *Bootstrap) AttributesNamespace() string { return attributesNamespace }

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

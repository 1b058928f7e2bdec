package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

// inGlobal and inSite return Caddyfiles with this policy in the one place or
// the other, from line 4 on.
func inGlobal(body string) string {
	return "{\n\tweir {\n\t\tpolicy api {\n" + body + "\n\t\t}\n\t}\n}\n"
}

func inSite(body string) string {
	return "# a site\n:80 {\n\tweir api {\n" + body + "\n\t}\n}\n"
}

// policies returns the policies of an adapted configuration: those of the app,
// and those that handlers define. They are decoded and encoded again, for Caddy
// sorts the fields of handlers.
func policies(t *testing.T, config []byte) map[string]string {
	t.Helper()
	var c struct {
		Apps struct {
			Weir struct {
				Policies map[string]core.PolicyConfig
			}
			HTTP struct {
				Servers map[string]struct {
					Routes []struct {
						Handle []struct {
							Policy string
							Define *core.PolicyConfig
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	add := func(name string, p core.PolicyConfig) {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	for name, p := range c.Apps.Weir.Policies {
		add(name, p)
	}
	for _, server := range c.Apps.HTTP.Servers {
		for _, route := range server.Routes {
			for _, h := range route.Handle {
				if h.Define != nil {
					add(h.Policy, *h.Define)
				}
			}
		}
	}
	return all
}

// same checks that a policy means the same, or has the same mistakes, in the
// global option and in a site; ok is false where it has mistakes.
func same(t *testing.T, body string) (policy string, ok bool) {
	t.Helper()
	global, globalErr := adapt(inGlobal(body))
	site, siteErr := adapt(inSite(body))
	if globalErr != nil || siteErr != nil {
		if globalErr == nil || siteErr == nil || globalErr.Error() != siteErr.Error() {
			t.Errorf("%s\nin the global option: %v\nin a site: %v", body, globalErr, siteErr)
		}
		return "", false
	}
	g, s := policies(t, global)["api"], policies(t, site)["api"]
	if g != s || g == "" {
		t.Errorf("%s\nin the global option: %s\nin a site: %s", body, g, s)
	}
	return g, true
}

// bodies returns the bodies of the policies in the golden files.
func bodies(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		config, _, _ := strings.Cut(string(data), separator)
		for _, policy := range strings.Split(config, "\n\t\tpolicy ")[1:] {
			_, policy, _ = strings.Cut(policy, "{\n")
			body, _, _ := strings.Cut(policy, "\n\t\t}")
			all = append(all, body)
		}
	}
	return all
}

// TestCaddyfileSame: a policy gives the same JSON wherever it stands.
func TestCaddyfileSame(t *testing.T) {
	all := append(bodies(t),
		"per {remote_host} {header.X-A} {query.q} {cookie.c} {method} {path} {host} {client_ip} {vars.v} {scheme}\nlimit a {\n\trolling 1m\n\tmax 1\n}",
		"subject {http.request.header.X-API-Key}\nlimit a {\n\tcost {header.Weight}\n\trolling 1m\n\tmax {subject.path} else 1\n}",
		"subject {header.K}\nplans region {\n\tfree {host}\n}",
		"per all\nlimit a {\n\trolling 1m\n\tmax 1\n\tdeny 429 \"{weir.max} {weir.limits.a.used}\" {\n\t\ttype text/plain\n\t}\n}",
	)
	if len(all) < 12 {
		t.Fatalf("only %d policies", len(all))
	}
	for _, body := range all {
		if _, ok := same(t, body); !ok {
			t.Errorf("has mistakes:\n%s", body)
		}
	}
}

// FuzzCaddyfileAdapt adapts policies. Whatever they hold, it ends without a
// panic; they mean the same in both places; and what is adapted can be loaded.
func FuzzCaddyfileAdapt(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(body)
	}
	for _, w := range append(wrongPolicies, wrongLimits...) {
		body := strings.TrimPrefix(w.config, inGlobal("")[:len("{\n\tweir {\n\t\tpolicy api {\n")])
		f.Add(strings.TrimSuffix(body, "\n\t\t}\n\t}\n}\n"))
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "import") {
			t.Skip("reads files")
		}
		if !contained(body) {
			_, _ = adapt(inGlobal(body))
			_, _ = adapt(inSite(body))
			return
		}
		policy, ok := same(t, body)
		if !ok {
			return
		}
		var c core.PolicyConfig
		if err := json.Unmarshal([]byte(policy), &c); err != nil {
			t.Fatalf("%s: %v", policy, err)
		}
		if _, err := core.CompilePolicy("p", "api", &c); err != nil {
			t.Fatalf("%s: %v", policy, err)
		}
	})
}

// contained reports whether the lines keep within their block: their braces
// are balanced and end their lines, and nothing is left open. A variable of the
// environment may end anywhere behind them.
func contained(body string) bool {
	if strings.Contains(body, "{$") {
		return false
	}
	tokens, err := caddyfile.Tokenize([]byte(body+"\nend"), "Caddyfile")
	if err != nil || len(tokens) == 0 || tokens[len(tokens)-1].Text != "end" {
		return false
	}
	depth, brace := 0, 0
	for _, t := range tokens {
		if t.Line == brace {
			return false
		}
		switch {
		case isBrace(t, "{"):
			brace = t.Line
			depth++
		case isBrace(t, "}"):
			brace = t.Line
			depth--
		}
		if depth < 0 {
			return false
		}
	}
	return depth == 0
}

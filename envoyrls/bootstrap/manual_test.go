package bootstrap_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fenceForm = regexp.MustCompile("(?ms)^```(\\w+) (\\w+)\n(.*?)^```$")

// manual returns the texts of the code blocks of the page about Envoy that are
// in a language, by their markers.
func manual(t *testing.T, language string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/envoy.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, m := range fenceForm.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			all[m[2]] = append(all[m[2]], m[3])
		}
	}
	if n := strings.Count(string(text), "```yaml\n"); n > 0 && language == "yaml" {
		t.Errorf("%d blocks of YAML say not where they belong", n)
	}
	return all
}

// manualConfig prints the configuration for the page's policy jobs, behind the
// door that the page shows.
func manualConfig(t *testing.T, more ...string) string {
	t.Helper()
	parts := manual(t, "caddyfile")
	if len(parts["door"]) != 1 || len(parts["global"]) != 1 {
		t.Fatalf("%d doors, %d policies", len(parts["door"]), len(parts["global"]))
	}
	path := write(t, "Caddyfile", "{\nweir {\nstore memory volatile\n"+parts["door"][0]+parts["global"][0]+"}\n}\n")
	text, err := command(append([]string{"jobs", "--config", path}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// within reports whether a text has the lines of an excerpt, one after another
// and as far from each other's margins.
func within(text, excerpt string) bool {
	first, _, _ := strings.Cut(excerpt, "\n")
	for line := range strings.SplitSeq(text, "\n") {
		margin, found := strings.CutSuffix(line, first)
		if !found || strings.TrimSpace(margin) != "" {
			continue
		}
		moved := margin + strings.ReplaceAll(strings.TrimSuffix(excerpt, "\n"), "\n", "\n"+margin)
		if strings.Contains(text, moved+"\n") {
			return true
		}
	}
	return false
}

// TestManual: what the manual shows of Envoy's configuration is what the command
// prints.
func TestManual(t *testing.T) {
	text, n := manualConfig(t), 0
	for _, excerpt := range manual(t, "yaml")["printed"] {
		n++
		if !within(text, excerpt) {
			t.Errorf("the command does not print\n%s\nbut\n%s", excerpt, text)
		}
	}
	if n < 5 {
		t.Errorf("%d excerpts", n)
	}
}

// certificates returns a directory with what the manual's Envoy has of them.
func certificates(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: server.Certificate().Raw}, "weir-ca.pem": {Type: "CERTIFICATE", Bytes: server.Certificate().Raw},
		"key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestManualIsValid has a real Envoy check the manual's whole configuration: with
// the rate limits that the command prints, and with those that the manual puts in
// their place.
func TestManualIsValid(t *testing.T) {
	binary := envoyBinary(t)
	printed := strings.ReplaceAll(manualConfig(t), "/etc/envoy/", certificates(t)+"/")
	instead := manual(t, "yaml")["virtual_host"]
	if len(instead) == 0 {
		t.Fatal("the manual has no rate limits of its own")
	}
	before, rest, found := strings.Cut(printed, "                      typed_per_filter_config:\n")
	_, after, ended := strings.Cut(rest, "                      routes:\n")
	if !found || !ended {
		t.Fatalf("no rate limits in\n%s", printed)
	}
	texts := []string{printed}
	for _, text := range instead {
		margin := strings.Repeat(" ", 22)
		texts = append(texts, before+margin+strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+margin)+"\n"+margin+"routes:\n"+after)
	}
	for _, text := range texts {
		out, err := exec.Command(binary, "--mode", "validate", "-c", write(t, "envoy.yaml", text)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "configuration") {
			t.Errorf("%v\n%s\n%s", err, out, text)
		}
	}
}

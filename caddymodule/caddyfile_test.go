package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// adapt returns the JSON configuration that a Caddyfile adapts to.
func adapt(config string) ([]byte, error) {
	adapter := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}
	result, _, err := adapter.Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	return result, err
}

// separator stands between the Caddyfile and the JSON of a golden file.
const separator = "----------\n"

// TestCaddyfileGolden adapts every Caddyfile in testdata/adapt and compares the
// result with the JSON that follows it.
func TestCaddyfileGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) < 5 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config, want, _ := strings.Cut(string(data), separator)
			if _, different := caddyfile.FormattingDifference(file, []byte(config)); different {
				t.Errorf("not as `caddy fmt` writes it:\n%s", caddyfile.Format([]byte(config)))
			}
			result, err := adapt(config)
			if err != nil {
				t.Fatal(err)
			}
			got := indent(t, result)
			if *update {
				err = os.WriteFile(file, []byte(config+separator+got), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !*update && got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func indent(t *testing.T, b []byte) string {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, b, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return pretty.String() + "\n"
}

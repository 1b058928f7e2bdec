package envoyrls_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestRateLimitRejectedSeries: of a configuration that does not come into force no
// series is told, whatever it is rejected for, and those in force are told still.
func TestRateLimitRejectedSeries(t *testing.T) {
	dir := limits(t, map[string]string{"a.yaml": yearly("d", 10)})
	g := startLimiter(t, dir, "poll 20ms")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	series := func(domain string) string {
		t.Helper()
		return g.scrape(fmt.Sprintf(`ratelimit_service_rate_limit_total_hits{domain=%q,key1="k"}`, domain))
	}
	other := limits(t, map[string]string{"a.yaml": yearly("other", 10), "b.yaml": yearly("d", 20)})
	for name, block := range map[string]string{
		"a policy's name":     "ratelimit " + limits(t, map[string]string{"a.yaml": yearly("api", 10)}),
		"an address in use":   "ratelimit " + other + " {\nhttp " + taken.Addr().String() + "\n}",
		"another, in its own": "ratelimit " + other + "\n}\nenvoy " + taken.Addr().String() + " {",
	} {
		if err := g.reload(block); err == nil {
			t.Errorf("%s: not rejected", name)
		}
		if api, other, d := series("api"), series("other"), series("d"); api+other != "" || d != "0" {
			t.Errorf("%s: series of api %q, of other %q, of d %q", name, api, other, d)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "b.yaml"), []byte(yearly("api", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the directory is rejected", func() bool {
		return g.scrape(fmt.Sprintf("weir_ratelimit_config_rejected{directory=%q}", dir)) == "1"
	})
	if got := series("api"); got != "" {
		t.Errorf("a directory that is rejected: series %q", got)
	}
	g.want(ok, "d", entries("k", "v"))
	if err := g.reload("ratelimit " + limits(t, map[string]string{"a.yaml": yearly("other", 1)})); err != nil {
		t.Fatal(err)
	}
	if other, d := series("other"), series("d"); other != "0" || d != "1" {
		t.Errorf("after a reload: series of other %q, of d %q", other, d)
	}
}

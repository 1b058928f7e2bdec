package envoyrls_test

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestCaddyfile: what the door's block adapts to.
func TestCaddyfile(t *testing.T) {
	for text, want := range map[string]string{
		"envoy :8081": `{"address":":8081","door":"envoy"}`,
		"envoy unix//run/weir.sock {\ndrain 10s\n}": `{"address":"unix//run/weir.sock","door":"envoy","drain":10000000000}`,
		"envoy :8081 {\nreflection\n}":              `{"address":":8081","door":"envoy","reflection":true}`,
		"envoy :8081 {\ntls cert.pem key.pem\n}":    `{"address":":8081","door":"envoy","tls":{"certificate":"cert.pem","key":"key.pem"}}`,
		"envoy :8081 {\ntls {$WEIR_TEST_CERT:c.pem} {env.KEY} {\nclient_ca a.pem b.pem\nclient_ca c.pem\n}\ndrain 1s\n}": `{"address":":8081","door":"envoy","drain":1000000000,` +
			`"tls":{"certificate":"c.pem","client_ca":["a.pem","b.pem","c.pem"],"key":"{env.KEY}"}}`,
		"envoy :8081 {\nratelimit ./config\n}": `{"address":":8081","door":"envoy","ratelimit":{"dir":"./config"}}`,
		"envoy :8081 {\nratelimit ./config {\nheaders on\nmetadata on\nshadow_mode off\nmerge_domains on\nhttp :8080\npoll 5s\n}\ndrain 1s\n}": `{"address":":8081","door":"envoy","drain":1000000000,` +
			`"ratelimit":{"dir":"./config","headers":true,"http":":8080","merge_domains":true,"metadata":true,"poll":5000000000}}`,
	} {
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\nweir {\n"+text+"\n}\n}\n"), nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var config struct {
			Apps struct {
				Weir struct{ Doors []map[string]any }
			}
		}
		if err := json.Unmarshal(adapted, &config); err != nil {
			t.Fatal(err)
		}
		if doors := config.Apps.Weir.Doors; len(doors) != 1 {
			t.Errorf("%s: %s", text, adapted)
		} else if got, _ := json.Marshal(doors[0]); string(got) != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

package contract_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/weirhq/weir/core"
)

// TestStatuses has policies and the statuses that each outcome can have there.
func TestStatuses(t *testing.T) {
	const limit = `"kind":"rolling","window":"1m","max":1`
	for _, tc := range []struct{ name, policy, want string }{
		{"nobody is asked who they are", `{"per":["all"],"limits":[{"name":"a",` + limit + `}]}`, "denied [429], store_failed [503]"},
		{
			"own statuses", `{"deny":{"status":503},"subject":{"sources":[{"from":"{header.K}"}],"missing":{"deny":{"status":403}},"unknown":{}},
			"limits":[{"name":"a",` + limit + `,"deny":{"status":402}},{"name":"b",` + limit + `},{"name":"c",` + limit + `,"shadow":true,"deny":{"status":418}},
			{"name":"d","kind":"ever","count":true}]}`,
			"denied [402 503], missing_credential [403], unknown_credential [401], store_failed [503], directory_failed [503]",
		},
		{
			"strangers are counted, plans have no default", `{"subject":{"sources":[{"from":"{header.K}"}],"missing":{"count_by":"client_ip","plan":"free"},
			"unknown":{"count_by":"key","plan":"free"}},"plans":{"free":{"n":1}},"limits":[{"name":"a",` + limit + `}]}`,
			"denied [429], unknown_plan [403], store_failed [503], directory_failed [503]",
		},
		{"costs in bodies", `{"per":["all"],"limits":[{"name":"a",` + limit + `,"cost":{"from":"{json.n}"}}]}`, "denied [429], body_too_large [413], body_encoding [415], body_broken [400], store_failed [503]"},
		{"of any size", `{"per":["all"],"oversize_cost":9,"limits":[{"name":"a",` + limit + `,"cost":{"from":"{json.n}"}}]}`, "denied [429], body_broken [400], store_failed [503]"},
		{
			"a shadow answers usage only", `{"shadow":true,"per":["all"],"limits":[{"name":"a",` + limit + `}],"usage":[{"paths":["/usage"],"body":"{}"}]}`,
			"usage [200]",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var config core.PolicyConfig
			if err := json.Unmarshal([]byte(tc.policy), &config); err != nil {
				t.Fatal(err)
			}
			_, c := compile(t, "api", config)
			got := ""
			for o := core.Passed; o <= core.Withheld; o++ {
				if found := c.Statuses(o); found != nil {
					got += fmt.Sprintf(", %s %v", o, found)
				}
			}
			if got != ", "+tc.want {
				t.Errorf("%s, want %s", got[2:], tc.want)
			}
		})
	}
}

package main

import (
	"fmt"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
)

// policies are what Weir is measured with.
var policies = []struct {
	name     string
	promised bool
	code     rls.RateLimitResponse_Code
	text     string
}{
	{"one rolling limit, headers", true, rls.RateLimitResponse_OK, `
		subject {header.X-API-Key}
		limit requests {
			rolling 1m
			max 1000000000
		}
		headers x-ratelimit unix`},
	{"three limits, headers", false, rls.RateLimitResponse_OK, `
		subject {header.X-API-Key}
		limit requests {
			rolling 1m
			max 1000000000
		}
		limit daily {
			calendar day UTC
			max 1000000000
		}
		limit burst {
			bucket 1000000/1s burst 1000000
		}
		headers x-ratelimit unix`},
	{"one limit that refuses, with a body", false, rls.RateLimitResponse_OVER_LIMIT, `
		subject {header.X-API-Key}
		limit requests {
			rolling 1m
			max 1
			deny 429 <<BODY
				{"error":"rate limited","limit":{weir.max},"retry_after":{weir.retry_after}}
				BODY
		}
		headers x-ratelimit unix`},
}

// caddyfile returns a configuration with this policy.
func caddyfile(address, policy string) string {
	return fmt.Sprintf("{\n\tadmin off\n\tlog {\n\t\tlevel ERROR\n\t}\n\tweir {\n\t\tstore memory volatile\n\t\tenvoy %s\n\t\tpolicy bench {%s\n\t\t}\n\t}\n}\n", address, policy)
}

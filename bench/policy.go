package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weirhq/weir/core"
)

// compile returns a policy with limits of these kinds per key.
func compile(kinds []string) *core.Policy {
	limits := make([]string, len(kinds))
	for i, kind := range kinds {
		limits[i] = fmt.Sprintf(`{"name":"l%d",%s}`, i, kind)
	}
	text := fmt.Sprintf(`{"per":["key"],"subject":{"sources":[{"from":"{header.X-API-Key}"}]},"limits":[%s]}`, strings.Join(limits, ","))
	var config core.PolicyConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		panic(err)
	}
	policy, err := core.CompilePolicy("bench", "bench", &config)
	if err != nil {
		panic(err)
	}
	return policy
}

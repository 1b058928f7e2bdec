package acceptance

import (
	"context"
	"strings"
	"testing"
)

const exitSite = `{
	admin {$WEIR_ADMIN}
	grace_period 100ms
	weir {
		store memory "{$WEIR_STATE}" {
			durability none
		}
		policy exit {
			per all
			limit calls {
				fixed 366d
				max 3
			}
		}
	}
}

:{$WEIR_PORT} {
	weir exit
	reverse_proxy {$WEIR_ORIGIN}
}
`

// TestExitDuringARequestOfAnOlderConfiguration: an orderly end keeps everything in
// any durability, also when Caddy does not wait for all requests as long as they take.
func TestExitDuringARequestOfAnOlderConfiguration(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "exit", exitSite, nil)
	gate := g.Origin.Gate()
	over := make(chan error, 1)
	go func() {
		_, err := g.Do(context.Background(), get("", "/").halfAt(gate))
		over <- err
	}()
	gate.Arrived(t, 1)
	if err := g.Load(strings.Replace(exitSite, "max 3", "max 2", 1)); err != nil {
		t.Fatal(err)
	}
	g.Times(t, 1, get("", "/"), 200)
	g.Stop(t)
	if err := <-over; err == nil {
		t.Error("Caddy has waited for the request, and nothing is proved")
	}
	if !g.launch(t) {
		t.Fatal("Caddy does not start again")
	}
	for _, want := range []int{200, 429} {
		a, err := g.Do(context.Background(), get("", "/"))
		if err != nil || a.Status != want {
			t.Fatalf("%v, %v; want %d", a, err, want)
		}
	}
}

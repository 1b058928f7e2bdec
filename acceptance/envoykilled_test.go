package acceptance

import "testing"

// TestEnvoyKilled: Weir is killed while requests that Envoy sent are under way,
// and hears of their ends when it runs again.
func TestEnvoyKilled(t *testing.T) {
	t.Parallel()
	envoyBinary(t)
	sameDay()
	again := func(t *testing.T, g *Gateway) {
		t.Helper()
		g.Kill()
		if !g.launch(t) {
			t.Fatal("Weir does not start again")
		}
	}
	t.Run("slots end with the process, and late ends free no others", func(t *testing.T) {
		t.Parallel()
		g := StartEnvoy(t, "outfit", Subjects{"k": {"id": "u"}})
		first, second := g.Origin.Gate(), g.Origin.Gate()
		lost := g.Begin(t, post("k", "/style_me").at(first))
		first.Arrived(t, 1)
		g.Send(t, post("k", "/style_me")).want(t, 429)
		again(t, g)
		running := g.Begin(t, post("k", "/style_me").at(second))
		second.Arrived(t, 1)
		first.Open()
		lost().want(t, 200) // and Weir has heard of its end
		g.Send(t, post("k", "/style_me")).want(t, 429)
		second.Open()
		running().want(t, 200).quota(t, 20, 18)
		g.Send(t, post("k", "/style_me")).want(t, 200).quota(t, 20, 17)
	})
	t.Run("costs and leases count once", func(t *testing.T) {
		t.Parallel()
		g := StartEnvoy(t, "predictions", Subjects{"k": {"id": "u", "daily_spending": 1, "concurrent_predictions": 2}})
		gate := g.Origin.Gate()
		create := post("k", "/v1/predictions")
		told := g.Begin(t, create.at(gate).told("Weir-Cost: 0.5").told("Weir-Lease: p1"))
		gate.Arrived(t, 1)
		again(t, g)
		gate.Open()
		told().want(t, 200)
		g.Send(t, create.told("Weir-Lease: p2")).want(t, 200)
		g.Send(t, create).want(t, 429) // both predictions run
		g.Send(t, get("k", "/v1/predictions/p1").told("Weir-Release: p1, p2")).want(t, 200)
		again(t, g)
		g.Send(t, create.told("Weir-Cost: 0.5")).want(t, 200) // half of the day's budget was left
		g.Send(t, create).want(t, 429)
	})
}

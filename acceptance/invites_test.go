package acceptance

import (
	"fmt"
	"testing"
	"time"
)

func inviteProofs() []proof {
	return []proof{
		{
			"H16 H18 H5 C12 A-H1 A-H3 A-H4 A-H6 C5 the cap is credits × 2 and its refusal takes nothing",
			Subjects{"h16": org("h16", "standard", 10)},
			inviteCap,
		},
		{
			"H16 without credits no invite is admitted",
			Subjects{"h16-0": org("h160", "standard", 0), "h16-n": {"id": "h16n", "plan": "enterprise"}},
			noCredits,
		},
		{"H16 A-H6 only creating an invite is refused", Subjects{"h16-o": org("h16o", "", 0)}, onlyCreating},
		{"H16 A-H6 no spelling of the path is a way around the cap", Subjects{"h16-w": org("h16w", "", 0)}, inviteSpellings},
		{
			"H16 H22 C14 of 12 invites at once exactly the cap is admitted",
			Subjects{"h22-a": org("h22", "standard", 4), "h22-b": org("h22", "standard", 4)},
			invitesAtOnce,
		},
		{"H17 an invite that was not created is not pending", Subjects{"h17-f": org("h17f", "", 1)}, failedInvites},
		{"H17 H19 C3 pending until it is done, however often it is polled", Subjects{"h17": org("h17", "", 1), "h17-x": org("h17x", "", 1)}, pendingUntilDone},
		{"H20 C3 one response releases several, and releasing twice frees one", Subjects{"h20": org("h20", "", 2)}, revokeSeveral},
		{
			"H20 A-H6 two organizations may use the same id",
			Subjects{"h20-a": org("h20a", "", 1), "h20-b": org("h20b", "", 1)},
			sameInviteID,
		},
		{"H17 an id that is pending already takes one place", Subjects{"h17-m": org("h17m", "", 1)}, mergedInvites},
		{"H17 C3 a response leases one place, whatever it names", Subjects{"h17-2": org("h17two", "", 1)}, severalLeases},
		{"H21 C3 what sets nothing changes nothing", Subjects{"h21-n": org("h21n", "", 1)}, malformedSets},
		{
			"H21 H22 C3 credits move the cap at once, for all keys",
			Subjects{"h21-a": org("h21", "", 1), "h21-b": org("h21", "", 1)},
			movedCap,
		},
	}
}

func inviteCap(t *testing.T, g *Gateway) {
	first := g.Send(t, invite("h16", "h16-0")).want(t, 201).rate(t, 300, 299)
	for n := 1; n < 20; n++ {
		g.Send(t, invite("h16", fmt.Sprint("h16-", n))).want(t, 201).rate(t, 300, 299-n)
	}
	for range 3 {
		g.wantInviteRefusal(t, "h16", 20, 10).rate(t, 300, 280).wantReset(t, first.charged(), minute)
	}
	if n := len(g.Origin.From("h16")); n != 20 {
		t.Errorf("C4: %d invites reached the origin", n)
	}
	g.Send(t, organization("h16")).want(t, 200).rate(t, 300, 279)
}

func noCredits(t *testing.T, g *Gateway) {
	g.wantInviteRefusal(t, "h16-0", 0, 0)
	g.wantInviteRefusal(t, "h16-n", 0, 0)
	g.Send(t, organization("h16-0")).want(t, 200).rate(t, 300, 299)
	g.Send(t, organization("h16-n")).want(t, 200).rate(t, 1000, 999)
}

func onlyCreating(t *testing.T, g *Gateway) {
	for _, call := range []Call{
		get("h16-o", invites), get("h16-o", invites+"/7"), post("h16-o", revocations), post("h16-o", invites+"/7/resend"),
		{Method: "DELETE", Path: invites, Key: "h16-o"},
		post("h16-o", "/api/v2/models"),
	} {
		g.Send(t, call).want(t, 200)
	}
}

func inviteSpellings(t *testing.T, g *Gateway) {
	for _, path := range []string{
		invites + "?team=1", "/api/v2/organization/%69nvites", "//api/v2//organization/invites",
		"/api/v2/./organization/invites", "/api/v2/models/../organization/invites", "/api/v2/Organization/INVITES",
	} {
		g.Send(t, post("h16-w", path)).want(t, 429).object(t, inviteRefusal(0, 0))
	}
	if n := len(g.Origin.From("h16-w")); n != 0 {
		t.Errorf("%d invites reached the origin", n)
	}
}

func invitesAtOnce(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	answers := make(chan []*Answer)
	go func() {
		answers <- g.Volley(t, 12, func(i int) Call {
			return invite([]string{"h22-a", "h22-b"}[i%2], fmt.Sprint("h22-", i)).answered(200).at(gate)
		})
	}()
	gate.Arrived(t, 8)
	gate.Open()
	wantTally(t, <-answers, 8, 4)
	g.wantInviteRefusal(t, "h22-a", 8, 4)
}

func failedInvites(t *testing.T, g *Gateway) {
	for _, status := range []int{400, 403, 422, 500, 503, 200} {
		g.Send(t, post("h17-f", invites).answered(status)).want(t, status)
	}
	g.Send(t, post("h17-f", invites).with(scriptBreak, "before")).want(t, g.broken)
	g.Send(t, invite("h17-f", "h17-f1")).want(t, 201)
	g.Send(t, invite("h17-f", "h17-f2")).want(t, 201)
	g.wantInviteRefusal(t, "h17-f", 2, 1)
}

func pendingUntilDone(t *testing.T, g *Gateway) {
	g.Send(t, invite("h17", "h17-1")).want(t, 201)
	g.Send(t, invite("h17", "h17-2")).want(t, 201)
	g.Times(t, 4, get("h17", "/api/v2/models/1"), 200)
	g.wantInviteRefusal(t, "h17", 2, 1)
	g.Send(t, get("h17", "/api/v2/models/1").told("Weir-Release: h17-1")).want(t, 200)
	g.Send(t, invite("h17", "h17-3")).want(t, 201)
	g.wantInviteRefusal(t, "h17", 2, 1)
	g.Send(t, post("h17-x", "/callbacks/done").answered(500).told("Weir-Release: h17-2")).want(t, 500)
	g.Send(t, invite("h17", "h17-4")).want(t, 201)
	g.wantInviteRefusal(t, "h17", 2, 1)
}

func revokeSeveral(t *testing.T, g *Gateway) {
	g.wantInvites(t, "h20", 0, 4)
	g.Send(t, revoke("h20", "h20-more-0").told("Weir-Release: h20-more-0,unheard-of , h20-more-0")).want(t, 200)
	g.Send(t, revoke("h20", "h20-more-0")).want(t, 200)
	g.Send(t, invite("h20", "h20-e")).want(t, 201)
	g.wantInviteRefusal(t, "h20", 4, 2)
	g.Send(t, revoke("h20", "h20-more-1, h20-more-2,h20-more-3")).want(t, 200)
	g.wantInvites(t, "h20", 1, 4)
}

// wantInvites requires that just cap-pending more invites are admitted.
func (g *Gateway) wantInvites(t testing.TB, key string, pending, most int) {
	t.Helper()
	for n := pending; n < most; n++ {
		g.Send(t, invite(key, fmt.Sprintf("%s-more-%d", key, n))).want(t, 201)
	}
	g.wantInviteRefusal(t, key, most, most/2)
}

func sameInviteID(t *testing.T, g *Gateway) {
	for _, key := range []string{"h20-a", "h20-b"} {
		g.Send(t, invite(key, "same")).want(t, 201)
		g.Send(t, invite(key, key+"-own")).want(t, 201)
	}
	g.Send(t, revoke("h20-a", "same")).want(t, 200) // the answered request's organization first
	g.wantInviteRefusal(t, "h20-b", 2, 1)
	g.wantInvites(t, "h20-a", 1, 2)
	g.Send(t, revoke("h20-a", "same")).want(t, 200) // then whoever has it
	g.wantInvites(t, "h20-b", 1, 2)
}

func mergedInvites(t *testing.T, g *Gateway) {
	g.Send(t, invite("h17-m", "h17-same")).want(t, 201)
	g.Send(t, invite("h17-m", "h17-same")).want(t, 201)
	g.Send(t, invite("h17-m", "h17-other")).want(t, 201)
	g.wantInviteRefusal(t, "h17-m", 2, 1)
	g.Send(t, revoke("h17-m", "h17-same")).want(t, 200)
	g.wantInvites(t, "h17-m", 1, 2)
}

func severalLeases(t *testing.T, g *Gateway) {
	g.Send(t, post("h17-2", invites).answered(201).told("Weir-Lease: h17-2a, h17-2b")).want(t, 201)
	g.Send(t, organization("h17-2").told("Weir-Lease: h17-2c")).want(t, 200) // has no place to lease
	g.Send(t, invite("h17-2", "h17-2d")).want(t, 201)
	g.wantInviteRefusal(t, "h17-2", 2, 1)
}

func malformedSets(t *testing.T, g *Gateway) {
	for _, line := range []string{"credits", "credits=many", "=5", "Credits 9", ""} {
		g.Send(t, organization("h21-n").told("Weir-Set: "+line)).want(t, 200)
	}
	g.wantInvites(t, "h21-n", 0, 2)
}

func movedCap(t *testing.T, g *Gateway) {
	g.wantInvites(t, "h21-a", 0, 2)
	g.Send(t, get("h21-b", "/api/v2/credits").told("Weir-Set: credits=3")).want(t, 200)
	g.wantInvites(t, "h21-a", 2, 6)
	g.Send(t, get("h21-a", "/api/v2/credits").told("Weir-Set: credits=1")).want(t, 200)
	g.wantInviteRefusal(t, "h21-b", 6, 1)
	for n := range 4 { // nothing is revoked: places return below the new cap only
		g.Send(t, revoke("h21-a", fmt.Sprintf("h21-a-more-%d", n))).want(t, 200)
		if n < 3 {
			g.wantInviteRefusal(t, "h21-a", 5-n, 1)
		}
	}
	g.wantInviteRefusal(t, "h21-a", 2, 1)
	g.Send(t, revoke("h21-b", "h21-a-more-4")).want(t, 200)
	g.Send(t, invite("h21-b", "h21-last")).want(t, 201)
	g.wantInviteRefusal(t, "h21-b", 2, 1)
}

func headshotproTrials() []trial {
	return []trial{
		{"H17 C11 C3 pending invites and credits outlive reload and restart", invitesOutliveProcess},
		{"H17 an invite nobody ends is pending no longer than its age limit", invitesAge},
	}
}

func invitesOutliveProcess(t *testing.T, open opener) {
	g := open(t, "headshotpro", Subjects{"k": org("o", "", 1)})
	g.wantInvites(t, "k", 0, 2)
	g.Send(t, get("k", "/api/v2/credits").told("Weir-Set: credits=2")).want(t, 200)
	g.wantInvites(t, "k", 2, 4)
	g.Reload(t)
	g.wantInviteRefusal(t, "k", 4, 2)
	g.Restart(t)
	g.wantInviteRefusal(t, "k", 4, 2)
	g.Send(t, revoke("k", "k-more-0")).want(t, 200)
	g.Restart(t)
	g.Send(t, invite("k", "another")).want(t, 201)
	g.wantInviteRefusal(t, "k", 4, 2)
}

func invitesAge(t *testing.T, open opener) {
	g := open(t, "headshotpro", Subjects{"k": org("o", "", 1)}, edit{from: "ttl 90d", to: "ttl 3s"})
	g.Send(t, invite("k", "first")).want(t, 201)
	last := g.Send(t, invite("k", "second")).want(t, 201)
	a := g.Send(t, invite("k", "third"))
	if a.Got.Before(last.Sent.Add(3 * time.Second)) {
		a.want(t, 429)
	}
	until(last.Known.Add(3*time.Second + slack))
	g.Send(t, invite("k", "fourth")).want(t, 201)
}

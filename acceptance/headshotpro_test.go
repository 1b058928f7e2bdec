package acceptance

import (
	"fmt"
	"testing"
)

func TestHeadshotpro(t *testing.T) {
	t.Parallel()
	prove(t, Start, "headshotpro", append(headshotproProofs(), headshotproClients()...))
	try(t, Start, headshotproTrials())
}

const (
	invites     = "/api/v2/organization/invites"
	revocations = "/api/v2/organization/invites/revoke"
	poolRefusal = `{"success": false, "error": "Rate limit exceeded", "code": "RATE_LIMIT_EXCEEDED"}`
)

// org is an organization with a plan, or none if it is "".
func org(id, plan string, credits int) Attributes {
	a := Attributes{"id": id, "credits": credits}
	if plan != "" {
		a["plan"] = plan
	}
	return a
}

// invite creates an invite that stays pending under the lease.
func invite(key, lease string) Call {
	return post(key, invites).answered(201).told("Weir-Lease: " + lease)
}

// revoke ends the leases.
func revoke(key, leases string) Call { return post(key, revocations).told("Weir-Release: " + leases) }

// organization is the plainest request of the page.
func organization(key string) Call { return get(key, "/api/v2/organization") }

// inviteRefusal is the body of an invite's refusal.
func inviteRefusal(pending, credits int) string {
	return fmt.Sprintf(`{"success": false, "error": "Too many pending invites. You have %d pending invites and %d credits. `+
		`Wait for invites to be completed or revoke unused invites.", "code": "INVITE_LIMIT_EXCEEDED", `+
		`"pendingInvites": %d, "credits": %d, "maxPendingInvites": %d}`, pending, credits, pending, credits, 2*credits)
}

// wantInviteRefusal sends an invite that must be refused with these figures.
func (g *Gateway) wantInviteRefusal(t testing.TB, key string, pending, credits int) *Answer {
	t.Helper()
	return g.Send(t, invite(key, "refused")).want(t, 429).object(t, inviteRefusal(pending, credits)).lacks(t, retryHeader)
}

func headshotproProofs() []proof {
	return append([]proof{
		{
			"H1 C1 all keys of an organization share one pool, organizations do not",
			Subjects{"h1-a": org("h1", "standard", 0), "h1-b": org("h1", "standard", 0), "h1-x": org("h1x", "standard", 0)},
			orgsPool,
		},
		{
			"H2 H3 C2 the tiers",
			Subjects{
				"h2-s": org("h2s", "standard", 0), "h2-p": org("h2p", "professional", 0), "h2-e": org("h2e", "enterprise", 0),
				"h2-n": {"id": "h2n"}, "h2-a": {"id": "h2a", "plan": "standard", "requests": 7},
			},
			tiers,
		},
		{"H4 any method and path uses the one pool", Subjects{"h4": org("h4", "standard", 5)}, onePool},
		{
			"H7 H8 H5 H6 C4 C5 C8 C12 C14 A-C2 A-C3 A-H2 A-H5 A-H8 300 at once, not one more, and again when the window has passed",
			Subjects{"h7-a": org("h7", "standard", 1), "h7-b": org("h7", "standard", 1)},
			wholePool,
		},
		{"H2 C14 1000 at once for enterprise", Subjects{"h2-1000": org("h21000", "enterprise", 0)}, enterprisePool},
		{"H12 A-H7 a batch is one request and refused by no cap", Subjects{"h12": org("h12", "standard", 1)}, batchOfMembers},
	}, inviteProofs()...)
}

func orgsPool(t *testing.T, g *Gateway) {
	g.Send(t, organization("h1-a")).want(t, 200).rate(t, 300, 299)
	g.Send(t, organization("h1-b")).want(t, 200).rate(t, 300, 298)
	g.Send(t, organization("h1-a")).want(t, 200).rate(t, 300, 297)
	g.Send(t, organization("h1-x")).want(t, 200).rate(t, 300, 299)
}

func tiers(t *testing.T, g *Gateway) {
	for _, tier := range []struct {
		key   string
		limit int
	}{{"h2-s", 300}, {"h2-p", 300}, {"h2-e", 1000}, {"h2-n", 300}, {"h2-a", 7}} {
		g.Send(t, organization(tier.key)).want(t, 200).rate(t, tier.limit, tier.limit-1)
	}
	g.Times(t, 6, organization("h2-a"), 200).rate(t, 7, 0)
	g.Send(t, organization("h2-a")).want(t, 429).rate(t, 7, 0)
}

func onePool(t *testing.T, g *Gateway) {
	used := 0
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"} {
		for _, path := range []string{"/", "/api/v2/organization?x=1", "//api//v2/models/1", "/%61pi/v1/old", invites} {
			used++
			g.Send(t, Call{Method: method, Path: path, Key: "h4"}).want(t, 200).rate(t, 300, 300-used)
		}
	}
}

func wholePool(t *testing.T, g *Gateway) {
	answers := g.Volley(t, 340, func(i int) Call { return organization([]string{"h7-a", "h7-b"}[i%2]) })
	wantTally(t, answers, 300, 40)
	stamp := oldest(admitted(answers))
	for _, a := range refused(answers) {
		a.rate(t, 300, 0).object(t, poolRefusal).wantReset(t, stamp, minute)
	}
	if reached := len(g.Origin.From("h7-a")) + len(g.Origin.From("h7-b")); reached != 300 {
		t.Errorf("C4: %d reached the origin", reached)
	}
	g.Send(t, invite("h7-a", "h7-i")).want(t, 429).rate(t, 300, 0).object(t, poolRefusal) // refused by the pool alone
	last := g.Send(t, organization("h7-a")).want(t, 429)
	if last.Header.Get(retryHeader) != "" {
		last.leadsTo(t, last.retryAfter(t), last.reset(t))
	}
	g.wantReopening(t, last)
	until(nth(admitted(answers), 300).to.Add(minute))
	again := g.Volley(t, 310, func(int) Call { return organization("h7-b") })
	wantTally(t, again, 299, 11)
}

func enterprisePool(t *testing.T, g *Gateway) {
	answers := g.Volley(t, 1020, func(int) Call { return organization("h2-1000") })
	wantTally(t, answers, 1000, 20)
}

func batchOfMembers(t *testing.T, g *Gateway) {
	g.Send(t, invite("h12", "h12-a")).want(t, 201)
	g.Send(t, invite("h12", "h12-b")).want(t, 201).rate(t, 300, 298)
	batch := post("h12", "/api/v2/teams/t1/members").body(`{"emails": ["a@x", "b@x", "c@x"]}`).told("Weir-Lease: h12-c")
	g.Send(t, batch).want(t, 200).rate(t, 300, 297)
	g.wantInviteRefusal(t, "h12", 2, 1).rate(t, 300, 297)
	g.Send(t, revoke("h12", "h12-a")).want(t, 200).rate(t, 300, 296)
	g.Send(t, invite("h12", "h12-d")).want(t, 201).rate(t, 300, 295)
}

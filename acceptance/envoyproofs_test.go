package acceptance

import (
	"strings"
	"testing"
)

// A beyond is a proof that cannot hold through Envoy, with those of its clauses
// that are to blame, and why. Other proofs there prove the others.
type beyond struct {
	proof   string // how its name begins
	clauses string
	why     string
}

const (
	noBodies   = "Envoy's Rate Limit Service is sent no bodies: a batch costs 1, whatever is in it"
	afterwards = "Envoy tells that a response has ended when its last byte has left: who sends the next request at once may be refused for a moment"
	// aMomentLater is why what the tests wait for is not quite what the page says.
	aMomentLater = "Envoy passes Weir-Set, Weir-Lease and Weir-Release on when the response has ended: they act a moment after its last byte, not before"
	noTrailers   = "Envoy passes Weir-Cost on to Weir from headers, not from trailers"
)

var beyondEnvoy = []beyond{
	{"S5 S10 C6 A-S2 A-S5 a batch costs its images", "S5 A-S5", noBodies},
	{"S5 C14 C6 of batches at once", "S5", noBodies},
	{"S5 C9 a batch passes byte for byte", "S5", noBodies},
	{"S5 C7 C8 C5 A-S5 a refused batch is told", "S5 A-S5", noBodies},
	{"S5 S3 a plan's whole analyses", "S5", noBodies},
	{"S5 A-S3 only the outermost images count", "S5", noBodies},
	{"A-S4 a batch that can never fit", "A-S4", noBodies},
	{"S11 S5 so is one with a batch", "S5", noBodies},
	{"O6 who has the last byte", "O6", afterwards},
	{"P9 C3 a cost may come in the trailer", "C3", noTrailers},
}

// pageProofs are all proofs of a page: its own, those of its clients and of the
// page's own code, and those of all pages.
func pageProofs(page string) []proof {
	own := map[string][][]proof{
		"headshotpro": {headshotproProofs(), headshotproClients(), headshotproSnippets()},
		"predictions": {predictionsProofs(), predictionsClients(), predictionsSnippets()},
		"shelfforce":  {shelfforceProofs(), shelfforceClients(), shelfforceSnippets()},
		"magnetite":   {magnetiteProofs(), magnetiteClients(), magnetiteSnippets()},
		"outfit":      {outfitProofs(), outfitClients(), outfitSnippets()},
	}
	var all []proof
	for _, p := range probes() {
		if p.page == page {
			all = append(all, commonProofs(p)...)
		}
	}
	for _, list := range own[page] {
		all = append(all, list...)
	}
	return all
}

// allTrials are the trials of all pages.
func allTrials() (all []trial) {
	for _, list := range [][]trial{commonTrials(), headshotproTrials(), predictionsTrials(), outfitTrials(), pageTrials()} {
		all = append(all, list...)
	}
	return all
}

// isBeyond returns why the named proof does not hold through Envoy, nil if it
// does.
func isBeyond(name string) *beyond {
	for i := range beyondEnvoy {
		if strings.HasPrefix(name, beyondEnvoy[i].proof) {
			return &beyondEnvoy[i]
		}
	}
	return nil
}

// TestEnvoy holds the pages behind a real Envoy to the proofs that Caddy is held
// to, but for those in beyondEnvoy.
func TestEnvoy(t *testing.T) {
	t.Parallel()
	envoyBinary(t)
	shared(t)
	sameDay()
	for _, p := range probes() {
		t.Run(p.page, func(t *testing.T) {
			t.Parallel()
			var proofs []proof
			for _, pr := range pageProofs(p.page) {
				if isBeyond(pr.name) == nil {
					proofs = append(proofs, pr)
				}
			}
			prove(t, StartEnvoy, p.page, proofs)
		})
	}
	var trials []trial
	for _, tr := range allTrials() {
		if isBeyond(tr.name) == nil {
			trials = append(trials, tr)
		}
	}
	try(t, StartEnvoy, trials)
}

package acceptance

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// proof is one test. Its name begins with the clauses it proves; its keys are
// the subjects it alone uses, so that all proofs of a page can share a gateway.
type proof struct {
	name string
	keys Subjects
	run  func(t *testing.T, g *Gateway)
}

// prove runs the proofs side by side against one gateway.
func prove(t *testing.T, open opener, page string, proofs []proof) {
	t.Helper()
	all := Subjects{}
	for _, p := range proofs {
		for key, attributes := range p.keys {
			if _, taken := all[key]; taken {
				t.Fatalf("two proofs use the key %q", key)
			}
			all[key] = attributes
		}
	}
	g := open(t, page, all)
	for _, p := range proofs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.run(t, g)
		})
	}
}

// trial is a proof that has its gateways for itself.
type trial struct {
	name string
	run  func(t *testing.T, open opener)
}

func try(t *testing.T, open opener, trials []trial) {
	t.Helper()
	for _, tr := range trials {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			tr.run(t, open)
		})
	}
}

var (
	clauseName   = regexp.MustCompile(`\b(?:A-)?[CHPSMO]\d+\b`)
	clauseHead   = regexp.MustCompile(`(?m)^(?:- \*\*([CHPSMO]\d+)\*\*|\| (A-[CHPSMO]\d+) \|)`)
	uncheckedRow = regexp.MustCompile(`(?m)^\| ((?:A-)?[CHPSMO]\d+) \| (.+) \|$`)
)

// TestEveryClause: every numbered clause is named by a proof, or listed in
// README.md with the reason why nothing can be checked.
func TestEveryClause(t *testing.T) {
	t.Parallel()
	contracts, err := os.ReadFile(filepath.Join(shared(t), "CONTRACTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	proven := map[string]bool{}
	for _, name := range proofNames() {
		for _, clause := range clauseName.FindAllString(name, -1) {
			proven[clause] = true
		}
	}
	unchecked := map[string]bool{}
	for _, row := range uncheckedRow.FindAllStringSubmatch(string(readme), -1) {
		unchecked[row[1]] = true
	}
	known := map[string]bool{}
	for _, head := range clauseHead.FindAllStringSubmatch(string(contracts), -1) {
		clause := head[1] + head[2]
		known[clause] = true
		if proven[clause] == unchecked[clause] {
			t.Errorf("%s: proven %v, listed as not checkable %v", clause, proven[clause], unchecked[clause])
		}
	}
	if len(known) < 100 {
		t.Errorf("only %d clauses found in CONTRACTS.md", len(known))
	}
	for _, clause := range slices.Sorted(maps.Keys(proven)) {
		if !known[clause] {
			t.Errorf("%s is proven but no clause", clause)
		}
	}
	for _, clause := range slices.Sorted(maps.Keys(unchecked)) {
		if !known[clause] {
			t.Errorf("%s is listed as not checkable but no clause", clause)
		}
	}
}

// proofNames are the names of all proofs that need nothing but this
// repository, and of the one that is about the pages' presence (C0).
func proofNames() []string {
	var names []string
	for _, list := range [][]proof{
		commonProofs(probes()[0]), headshotproProofs(), predictionsProofs(), shelfforceProofs(),
		magnetiteProofs(), outfitProofs(), headshotproClients(), predictionsClients(),
		shelfforceClients(), magnetiteClients(), outfitClients(),
	} {
		for _, p := range list {
			names = append(names, p.name)
		}
	}
	for _, list := range [][]trial{commonTrials(), headshotproTrials(), predictionsTrials(), outfitTrials(), pageTrials()} {
		for _, tr := range list {
			names = append(names, tr.name)
		}
	}
	return names
}

// TestNames: a proof's name begins with its clauses.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range proofNames() {
		first, _, _ := strings.Cut(name, " ")
		if clauseName.FindString(first) != first {
			t.Errorf("%q names no clause first", name)
		}
	}
}

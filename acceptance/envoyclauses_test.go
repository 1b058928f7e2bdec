package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clausesPage is where the table of clauses is told to readers.
const clausesPage = "docs/envoy-clauses.md"

// A standing is how a clause stands through Envoy.
type standing struct {
	clause string
	proofs []string // that hold there
	why    []string // what of it cannot hold there
	empty  bool     // nothing is to be enforced, through whatever door
}

// verdict is the standing in a word or two.
func (s *standing) verdict() string {
	switch {
	case s.empty:
		return "nothing to enforce"
	case len(s.why) == 0:
		return "yes"
	case len(s.proofs) > 0:
		return "in part"
	}
	return "no"
}

// TestEnvoyClauses: every clause is proven through Envoy, or there is a reason
// why it cannot be. It prints the table of both, of which docs/ has a copy.
func TestEnvoyClauses(t *testing.T) {
	t.Parallel()
	all := standings(t)
	for i := range all {
		if s := &all[i]; len(s.proofs)+len(s.why) == 0 {
			t.Errorf("%s: neither a proof through Envoy nor a reason why there is none", s.clause)
		}
	}
	table := clausesTable(all)
	t.Log("\n" + table)
	path := filepath.Join(root(), clausesPage)
	if os.Getenv("WEIR_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(clausesHead+table), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != clausesHead+table {
		t.Errorf("%s is not up to date (%v); run WEIR_UPDATE=1 go test ./acceptance -run TestEnvoyClauses", clausesPage, err)
	}
}

// standings are those of all clauses, in the order of CONTRACTS.md.
func standings(t *testing.T) (all []standing) {
	t.Helper()
	contracts, err := os.ReadFile(filepath.Join(shared(t), "CONTRACTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	index := map[string]int{}
	for _, head := range clauseHead.FindAllStringSubmatch(string(contracts), -1) {
		clause := head[1] + head[2]
		index[clause] = len(all)
		all = append(all, standing{clause: clause})
	}
	if len(all) < 100 {
		t.Fatalf("only %d clauses found in CONTRACTS.md", len(all))
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range uncheckedRow.FindAllStringSubmatch(string(readme), -1) {
		s := &all[index[row[1]]]
		s.empty, s.why = true, []string{row[2]}
	}
	for _, clause := range []string{"C3", "H21"} {
		all[index[clause]].add(aMomentLater)
	}
	used := map[string]bool{}
	for _, name := range envoyNames() {
		b := isBeyond(name)
		if b != nil {
			used[b.proof] = true
		}
		for _, clause := range clauseName.FindAllString(name, -1) {
			i, known := index[clause]
			switch {
			case !known:
				t.Errorf("%q names %s, which is no clause", name, clause)
			case b == nil:
				all[i].proofs = append(all[i].proofs, name)
			case slices.Contains(strings.Fields(b.clauses), clause):
				all[i].add(b.why)
			}
		}
	}
	for _, b := range beyondEnvoy {
		if !used[b.proof] {
			t.Errorf("there is no proof %q", b.proof)
		}
	}
	return all
}

// add adds a reason, once.
func (s *standing) add(why string) {
	if !slices.Contains(s.why, why) {
		s.why = append(s.why, why)
	}
}

// envoyNames are the names of all proofs, whether or not they hold through Envoy.
func envoyNames() (names []string) {
	for _, p := range probes() {
		for _, pr := range pageProofs(p.page) {
			if !slices.Contains(names, pr.name) { // those of all pages are alike
				names = append(names, pr.name)
			}
		}
	}
	for _, tr := range allTrials() {
		names = append(names, tr.name)
	}
	return names
}

const clausesHead = `# The pages' clauses through Envoy

The five example pages are rate limit pages that API providers have published; an
example's README says what its page promises. For the proof each page was cut into
numbered promises, its clauses. A clause's letter says whose it is, its number counts
on through that page:

| clauses | whose |
| --- | --- |
| C… | all pages': how keys, refusals, headers, reloads and the origin's voice work |
| H… | [headshotpro](../examples/headshotpro/README.md)'s |
| P… | [predictions](../examples/predictions/README.md)'s |
| S… | [shelfforce](../examples/shelfforce/README.md)'s |
| M… | [magnetite](../examples/magnetite/README.md)'s |
| O… | [outfit](../examples/outfit/README.md)'s |
| A-H…, and so on | what that page leaves open or says twice, differently, in the reading that Weir enforces |

What a clause comes to is what its proofs show: each test's name begins with its
clauses, so ` + "`grep -rnw H16 acceptance`" + ` finds those of H16.
[The acceptance suite](../acceptance/README.md) proves the clauses through Caddy, and
through a real Envoy with [examples/envoy](../examples/envoy/README.md): by the same
tests, but for those that Envoy's Rate Limit Service cannot pass. After each response
the tests wait until Envoy has told Weir that it has ended. This table is printed, and
checked, by ` + "`go test ./acceptance -run TestEnvoyClauses -v`" + `.

`

// clausesTable is the table in Markdown.
func clausesTable(all []standing) string {
	var b strings.Builder
	count := map[string]int{}
	for i := range all {
		count[all[i].verdict()]++
	}
	fmt.Fprintf(&b, "Of %d clauses %d hold, %d hold in part, and %d do not. %d have nothing to enforce.\n\n",
		len(all), count["yes"], count["in part"], count["no"], count["nothing to enforce"])
	b.WriteString("| clause | through Envoy | proof | what cannot be expressed, and why |\n| --- | --- | --- | --- |\n")
	for i := range all {
		s := &all[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.clause, s.verdict(), s.proof(), strings.Join(s.why, "; "))
	}
	return b.String()
}

// proof is what the clause's first proof proves, and how many more there are.
func (s *standing) proof() string {
	if len(s.proofs) == 0 {
		return ""
	}
	words := strings.Fields(s.proofs[0])
	for len(words) > 1 && clauseName.FindString(words[0]) == words[0] {
		words = words[1:]
	}
	text := strings.Join(words, " ")
	if more := len(s.proofs) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	attackRow  = regexp.MustCompile(`(?m)^\| .+ \| .+ \| (.+) \|$`)
	attackName = regexp.MustCompile("`(Test\\w+)`")
)

// TestAttackTable: each attack in the manual's table names a test that is there,
// and each test of an attack is in the table.
func TestAttackTable(t *testing.T) {
	tests := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	rows := 0
	for _, row := range attackRow.FindAllStringSubmatch(read(t, "docs/security.md"), -1) {
		if row[1] == "test" || row[1] == "---" {
			continue
		}
		rows++
		names := attackName.FindAllStringSubmatch(row[1], -1)
		if len(names) == 0 {
			t.Errorf("no test is named in %s", row[0])
		}
		for _, name := range names {
			named[name[1]] = true
			if !tests[name[1]] {
				t.Errorf("there is no %s, which is named in %s", name[1], row[0])
			}
		}
	}
	if rows < 30 {
		t.Errorf("only %d rows", rows)
	}
	for name := range tests {
		if strings.HasPrefix(name, "TestAttack") && !named[name] && name != "TestAttackTable" {
			t.Errorf("the table leaves out %s", name)
		}
	}
}

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var pageForm = regexp.MustCompile("`([A-Za-z0-9_./-]+\\.md)`")

// TestNamedPages: a page that the manual names is one that a reader can open.
func TestNamedPages(t *testing.T) {
	all := pages(t)
	for i := range all {
		p := &all[i]
		_, prose := p.fences(t)
		for _, line := range prose {
			for _, name := range pageForm.FindAllStringSubmatch(line, -1) {
				_, beside := os.Stat(filepath.Join(root, filepath.Dir(p.path), name[1]))
				if _, err := os.Stat(filepath.Join(root, name[1])); err != nil && beside != nil {
					t.Errorf("%s names %s, which is not in the repository", p.path, name[1])
				}
			}
		}
	}
}

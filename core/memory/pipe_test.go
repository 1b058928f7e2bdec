//go:build unix

package memory

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipeInPlaceOfAFile: opening one waits until somebody writes to it.
func TestPipeInPlaceOfAFile(t *testing.T) {
	for _, name := range []string{SnapshotName, "journal-0000000001"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		must(t, syscall.Mkfifo(path, 0o600))
		err := New(Options{Dir: dir}).Open()
		if err == nil || !strings.Contains(err.Error(), path+" is no regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package memory

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// The files of a state directory.
const (
	lockName = "weir.lock"
	// SnapshotName is the file with what outlives the process.
	SnapshotName = "weir.snapshot"
)

func inUse(dir, lock string) error {
	return fmt.Errorf("state directory %s is in use by another process, or by another store of this one, which holds %s: stop that one, or give each a directory of its own", dir, lock)
}

// SyncDir waits until the directory's entries are on disk, where the system
// can do that.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

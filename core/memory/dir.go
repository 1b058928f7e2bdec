package memory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// The files of a state directory.
const (
	// LockName is the file that keeps a second process out, from the first start on.
	LockName = "weir.lock"
	// SnapshotName is the file with what outlives the process.
	SnapshotName = "weir.snapshot"
)

// errNewer is what is wrong with a file of a version to come.
var errNewer = errors.New("a newer Weir wrote it")

// Kept returns the path of a file in a state directory that may have counters; ""
// if there is none.
func Kept(dir string) (path string, err error) {
	path = filepath.Join(dir, SnapshotName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	all, err := segments(dir)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return segmentPath(dir, all[0]), nil
}

// openFile opens a file to read, and returns its size. What is no regular file is
// not opened, for opening a pipe may take for ever.
func openFile(path string) (f *os.File, size int64, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file (%s)", path, info.Mode())
	}
	if err != nil {
		return nil, 0, err
	}
	if f, err = os.Open(path); err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// makeDir makes the state directory, if it is not there, and waits until it is
// on disk.
func makeDir(dir string) error {
	var made []string
	for path := filepath.Clean(dir); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			break
		}
		made = append(made, path)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, path := range made {
		// One may make directories where one may not look.
		if err := SyncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

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

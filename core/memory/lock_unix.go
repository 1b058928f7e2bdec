//go:build unix && !solaris && !aix

package memory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// A dirLock keeps other processes out of a state directory. The system lets go
// of it when the process ends, however it does. Where directories can be locked
// the directory is, too: the file may be removed by somebody who takes it for
// what a process has left that was killed.
type dirLock struct{ file, dir *os.File }

func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, LockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	l := &dirLock{file: f}
	if err = flock(f); err == nil {
		l.dir, err = os.Open(dir)
	}
	if err == nil && errors.Is(flock(l.dir), syscall.EWOULDBLOCK) {
		err = syscall.EWOULDBLOCK
	}
	if err == nil {
		return l, nil
	}
	l.unlock()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, inUse(dir, path)
	}
	return nil, fmt.Errorf("state directory: locking %s: %w", path, err)
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// holds reports whether dir is still the directory that is locked.
func (l *dirLock) holds(dir string) bool {
	there, err := os.Stat(dir)
	if err != nil {
		return false
	}
	locked, err := l.dir.Stat()
	return err == nil && os.SameFile(there, locked)
}

func (l *dirLock) unlock() {
	if l == nil {
		return
	}
	_ = l.file.Close()
	if l.dir != nil {
		_ = l.dir.Close()
	}
}

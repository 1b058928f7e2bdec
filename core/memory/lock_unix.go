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
// of it when the process ends, however it does.
type dirLock struct{ file *os.File }

func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = f.Close()
		return nil, inUse(dir, path)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("state directory: locking %s: %w", path, err)
	}
	return &dirLock{f}, nil
}

func (l *dirLock) unlock() {
	if l != nil {
		_ = l.file.Close()
	}
}

package memory

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// errSharingViolation is ERROR_SHARING_VIOLATION.
const errSharingViolation = syscall.Errno(32)

// A dirLock keeps other processes out of a state directory: its file is open
// and shared with nobody.
type dirLock struct{ handle syscall.Handle }

func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, LockName)
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, inUse(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("state directory: locking %s: %w", path, err)
	}
	return &dirLock{h}, nil
}

// holds is true: what is locked cannot be moved.
func (l *dirLock) holds(string) bool { return true }

func (l *dirLock) unlock() {
	if l != nil {
		_ = syscall.CloseHandle(l.handle)
	}
}

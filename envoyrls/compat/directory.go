package compat

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxFiles and maxFile, in bytes, bound what is read of a directory.
	maxFiles = 10_000
	maxFile  = 16 << 20
)

// A sum tells one content of a directory from another.
type sum [sha256.Size]byte

// readDir returns the YAML files in dir and below, sorted by name. Links on the
// way to dir are followed first, so that all files are of one directory while
// such a link is exchanged.
func readDir(dir string) (files []File, all sum, err error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, all, err
	}
	hash := sha256.New()
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		hidden := path != root && strings.HasPrefix(entry.Name(), ".")
		switch {
		case err != nil:
			return err
		case hidden && entry.IsDir():
			return fs.SkipDir
		case hidden, entry.IsDir(), !isYAML(path):
			return nil
		}
		if len(files) == maxFiles {
			return fmt.Errorf("%s: more than %d files", dir, maxFiles)
		}
		f, err := readFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f.Name = filepath.Join(dir, name)
		files = append(files, f)
		head := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(name))), uint64(len(f.Text)))
		hash.Write(head)
		hash.Write([]byte(name))
		hash.Write(f.Text)
		return nil
	})
	if err != nil {
		return nil, all, err
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, all, errors.Join(fmt.Errorf("%s is not a directory", dir), err)
	}
	return files, sum(hash.Sum(nil)), nil
}

func isYAML(path string) bool {
	extension := filepath.Ext(path)
	return extension == ".yaml" || extension == ".yml"
}

// readFile returns a file without a name.
func readFile(path string) (f File, err error) {
	opened, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer opened.Close()
	f.Text, err = io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err == nil && len(f.Text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return f, err
}

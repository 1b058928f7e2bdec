package compat

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxFiles and maxFile, in bytes, bound what is read of a directory, and
	// maxLinks from how many directories within each other by links.
	maxFiles = 10_000
	maxFile  = 16 << 20
	maxLinks = 8
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
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, all, errors.Join(fmt.Errorf("%s is not a directory", dir), err)
	}
	w := walk{hash: sha256.New()}
	if err := w.directory(root, dir, 0); err != nil {
		return nil, all, err
	}
	return w.files, sum(w.hash.Sum(nil)), nil
}

// A walk gathers files.
type walk struct {
	files []File
	hash  hash.Hash
}

// directory adds the files in root and below. name is what they are told to be
// in, and links how many led from there to root.
func (w *walk) directory(root, name string, links int) error {
	if links > maxLinks {
		return fmt.Errorf("%s: more than %d links on the way, or one that leads back", name, maxLinks)
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := path != root && strings.HasPrefix(entry.Name(), ".")
		if hidden && entry.IsDir() {
			return fs.SkipDir
		}
		if hidden || entry.IsDir() {
			return nil
		}
		below, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		below = filepath.Join(name, below)
		if entry.Type()&fs.ModeSymlink != 0 {
			if target, err := filepath.EvalSymlinks(path); err == nil && isDir(target) {
				return w.directory(target, below, links+1)
			}
		}
		if !isYAML(path) {
			return nil
		}
		return w.file(path, below)
	})
}

// file adds a file by that name.
func (w *walk) file(path, name string) error {
	if len(w.files) == maxFiles {
		return fmt.Errorf("%s: more than %d files", name, maxFiles)
	}
	text, err := readFile(path)
	if err != nil {
		return err
	}
	w.files = append(w.files, File{name, text})
	w.hash.Write(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(name))), uint64(len(text))))
	w.hash.Write([]byte(name))
	w.hash.Write(text)
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isYAML(path string) bool {
	extension := filepath.Ext(path)
	return extension == ".yaml" || extension == ".yml"
}

// readFile returns what a file says.
func readFile(path string) (text []byte, err error) {
	// A pipe would be waited for.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, fmt.Errorf("%s is not a file", path))
	}
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	text, err = io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return text, err
}

package envoyrls

import (
	"os"
	"slices"
	"time"
)

// settling is for how long after a change a file may change again without
// another time of modification.
const settling = 2 * time.Second

// A stamp tells one state of a file from another.
type stamp struct {
	info os.FileInfo // nil where there is no such file
}

// stampOf returns the file's stamp now.
func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

// same reports whether s and other are of the same state of one file.
func (s stamp) same(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return os.SameFile(s.info, other.info) &&
		s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime())
}

// A watch notices changes of files when it is asked.
type watch struct {
	paths  []string
	stamps []stamp
	again  time.Time // until then files count as changed
}

// changed reports whether the files may have changed since it last said so; the
// first time they have.
func (w *watch) changed(now time.Time) bool {
	stamps := make([]stamp, len(w.paths))
	for i, path := range w.paths {
		stamps[i] = stampOf(path)
	}
	if now.After(w.again) && slices.EqualFunc(stamps, w.stamps, stamp.same) {
		return false
	}
	w.stamps, w.again = stamps, time.Time{}
	for _, s := range stamps {
		if s.info != nil && s.info.ModTime().Add(settling).After(w.again) {
			w.again = s.info.ModTime().Add(settling)
		}
	}
	return true
}

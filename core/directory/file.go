package directory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/core"
)

const (
	defaultPoll = core.Duration(time.Second)
	minPoll     = core.Duration(10 * time.Millisecond)
	// settled is how far a file's time of modification must be from now to be
	// sure that another write would change it; until then, it is read again.
	settled = 2 * time.Second
)

// FileConfig is a directory in a JSON file:
//
//	{"subjects": {"CREDENTIAL": {"id": "org_1", "plan": "pro", "credits": 10}}}
//
// Several credentials may have the same id. See [Record] for what a subject has.
type FileConfig struct {
	// Path of the file.
	Path string `json:"path"`
	// Poll is how often the file is looked at for changes; 1s by default. It
	// may be written in place, replaced, or be a symlink that is changed.
	Poll core.Duration `json:"poll,omitempty"`
}

// FileOptions are what a File tells in the background. The callbacks are called
// one at a time; nil ones are not.
type FileOptions struct {
	// OnLoad is told how many credentials the file had when it changed.
	OnLoad func(credentials int)
	// OnError is told, once per mistake, why a changed file was not taken. The
	// subjects read before stay.
	OnError func(error)
}

// File is a directory of the subjects in a file.
type File struct {
	config  FileConfig
	options FileOptions
	current atomic.Pointer[snapshot]

	// of the polling goroutine:
	info   fs.FileInfo // of the last attempt to read; nil if that failed
	digest [sha256.Size]byte
	told   string // the last error

	stop    context.CancelFunc
	stopped chan struct{}
}

// NewFile reads the file and then watches it until Close. Its error says what
// is wrong as path:line:column, or wraps the system's.
func NewFile(c FileConfig, o FileOptions) (*File, error) {
	if c.Path == "" {
		return nil, &core.ConfigError{Path: "path", Err: errors.New("a file directory needs the path of its file")}
	}
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if c.Poll < minPoll {
		return nil, &core.ConfigError{Path: "poll", Err: fmt.Errorf("%s is less than %s", c.Poll, minPoll)}
	}
	d := &File{config: c, options: o, stopped: make(chan struct{})}
	if _, err := d.load(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go d.watch(ctx)
	return d, nil
}

// Len returns the number of credentials.
func (d *File) Len() int { return len(d.current.Load().subjects) }

// Lookup implements core.Directory. It does not allocate.
func (d *File) Lookup(_ context.Context, credential string) (*core.Subject, error) {
	return d.current.Load().lookup(credential)
}

// Subject implements core.Roster.
func (d *File) Subject(id string) (*core.Subject, bool) { return d.current.Load().subject(id) }

// Close stops watching the file. Lookups go on with what was read.
func (d *File) Close() error {
	d.stop()
	<-d.stopped
	return nil
}

// watch polls the file until ctx ends.
func (d *File) watch(ctx context.Context) {
	defer close(d.stopped)
	ticker := time.NewTicker(time.Duration(d.config.Poll))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.poll()
		}
	}
}

// poll reads the file again if it changed, and tells what became of that.
func (d *File) poll() {
	if d.unchanged() {
		return
	}
	loaded, err := d.load()
	switch {
	case err != nil:
		if err.Error() != d.told && d.options.OnError != nil {
			d.options.OnError(err)
		}
		d.told = err.Error()
	case loaded && d.options.OnLoad != nil:
		d.options.OnLoad(d.Len())
		fallthrough
	default:
		d.told = ""
	}
}

// unchanged reports whether the file is the one that was last read. Stat
// follows symlinks, so a link that was changed leads to another file.
func (d *File) unchanged() bool {
	info, err := os.Stat(d.config.Path)
	return err == nil && d.info != nil && os.SameFile(info, d.info) &&
		info.Size() == d.info.Size() && info.ModTime().Equal(d.info.ModTime())
}

// load reads the file. It reports false where it holds what it held before.
func (d *File) load() (loaded bool, err error) {
	d.info = nil
	data, info, err := read(d.config.Path)
	if err != nil {
		return false, err
	}
	if age := time.Since(info.ModTime()); age.Abs() >= settled {
		d.info = info
	}
	digest := sha256.Sum256(data)
	if digest == d.digest {
		return false, nil
	}
	s, err := parseFile(data)
	if err != nil {
		return false, fmt.Errorf("%s:%w", d.config.Path, err)
	}
	d.digest = digest
	d.current.Store(s)
	return true, nil
}

// read returns the content of a regular file, and its state from before.
func read(path string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is not a regular file")}
	}
	data, err := os.ReadFile(path)
	return data, info, err
}

// parseFile reads {"subjects": {…}}.
func parseFile(data []byte) (*snapshot, error) {
	s := newSnapshot()
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, &ParseError{Line: 1, Column: 1, Err: errors.New(`the file is empty; expected {"subjects": {}}`)}
	}
	err := parseAll(data, func(p *parser) error {
		found := false
		err := p.object(`an object such as {"subjects": {}}`, func(name string) error {
			if name != "subjects" || found {
				return p.fail(errors.New(`expected one member, "subjects"`))
			}
			found = true
			return p.subjects(s.add)
		})
		if err == nil && !found {
			err = p.fail(errors.New(`expected a member "subjects"`))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

var _ core.Roster = (*File)(nil)

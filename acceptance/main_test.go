package acceptance

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// parallel is how many tests may wait for a window at once; waiting costs no
// processor, so it has nothing to do with the number of cores.
const parallel = "128"

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("acceptance: not run with -short")
		return
	}
	os.Exit(run(m))
}

// built is the folder for what the tests build.
var built string

// run builds the binary unless WEIR_CADDY names one, and runs the tests.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-acceptance")
	if err == nil {
		built = dir
		defer func() { _ = os.RemoveAll(dir) }()
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "acceptance:", err)
		return 1
	}
	return m.Run()
}

func prepare(dir string) error {
	if !flagSet("test.parallel") {
		if err := flag.Set("test.parallel", parallel); err != nil {
			return err
		}
	}
	if os.Getenv("WEIR_CADDY") != "" {
		return nil
	}
	binary := filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-o", binary, "./cmd/caddy")
	build.Dir = root()
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building ./cmd/caddy: %w", err)
	}
	return os.Setenv("WEIR_CADDY", binary)
}

// sources makes the files that the binary and the examples consist of known to
// go test, which otherwise would repeat a cached result when they change.
var sources = sync.OnceFunc(func() {
	_ = filepath.WalkDir(root(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		_, _ = os.Stat(path)
		return nil
	})
})

func flagSet(name string) bool {
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// root is the repository's folder: go test runs in the package's.
func root() string {
	dir, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return dir
}

// shared is the folder with CONTRACTS.md and the pages, which stand beside the
// repository and not in it. Without it t is skipped, under CI failed.
func shared(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_SHARED")
	if dir == "" {
		dir = filepath.Join(root(), "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "CONTRACTS.md")); err != nil {
		absent(t, "the pages: %v (set WEIR_SHARED)", err)
	}
	return dir
}

// absent skips t because something it needs is not there; under CI, where
// everything must be, it fails.
func absent(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("absent under CI: "+format, args...)
	}
	t.Skipf("absent: "+format, args...)
}

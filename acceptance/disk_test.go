package acceptance

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// A disk is a small file system of its own, in a mount namespace that a process
// keeps for as long as the test lasts.
type disk struct {
	dir  string   // where those see it who go through
	path string   // where the test sees it
	in   []string // the command that goes through
}

// newDisk makes a disk of so many MiB. It needs root, or a system where everybody
// may make user namespaces; without that t is skipped, and under CI fails.
func newDisk(t *testing.T, size int) *disk {
	t.Helper()
	if runtime.GOOS != "linux" {
		absent(t, "a small file system needs Linux's namespaces")
	}
	dir := t.TempDir()
	unshare, enter := []string{"unshare", "--mount"}, []string{"nsenter", "--mount"}
	if os.Getuid() != 0 {
		unshare, enter = append(unshare, "--map-root-user"), append(enter, "--user", "--preserve-credentials")
	}
	script := `mount -t tmpfs -o mode=0700,size="$2"m weir "$1" && echo mounted && exec cat`
	keeper := exec.Command(unshare[0], append(unshare[1:], "sh", "-c", script, "sh", dir, strconv.Itoa(size))...)
	keeper.Stderr = os.Stderr
	stdin, err := keeper.StdinPipe() // at whose end it ends, also when the test is killed
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		absent(t, "a mount namespace: %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = keeper.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "mounted\n" {
		absent(t, "a mount namespace: run the tests as root, or allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0)")
	}
	pid := strconv.Itoa(keeper.Process.Pid)
	return &disk{
		dir: dir, path: filepath.Join("/proc", pid, "root", dir),
		in: append(enter, "--target", pid, "--wd="+root(), "--"),
	}
}

// fill fills the disk, and empty makes it as it was.
func (d *disk) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
}

func (d *disk) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		t.Fatal(err)
	}
}

func (d *disk) ballast() string { return filepath.Join(d.path, "ballast") }

// mount mounts the disk again, read-only or not.
func (d *disk) mount(t *testing.T, mode string) {
	t.Helper()
	args := append(d.in[1:len(d.in):len(d.in)], "mount", "-o", "remount,bind,"+mode, d.dir)
	if text, err := exec.Command(d.in[0], args...).CombinedOutput(); err != nil {
		t.Fatalf("mounting %s: %v\n%s", mode, err, text)
	}
}

// withoutPower is a command that gives up root's power to write what permissions
// deny; nobody else has it.
func withoutPower(t *testing.T) []string {
	if os.Getuid() != 0 {
		return nil
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		absent(t, "setpriv, of util-linux: %v", err)
	}
	return []string{"setpriv", "--bounding-set", "-dac_override,-dac_read_search"}
}

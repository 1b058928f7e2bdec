package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
)

// build builds Caddy with Weir at the path.
func build(path string) error {
	cmd := exec.Command("go", "build", "-tags", "nobadger,nomysql,nopgx", "-ldflags", "-s -w", "-o", path, "./cmd/caddy")
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	return cmd.Run()
}

// sameGRPC fails unless the program has the same grpc-go as this one.
func sameGRPC(path string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	own, _ := debug.ReadBuildInfo()
	if theirs, ours := versionOf(info), versionOf(own); theirs != ours || ours == "" {
		return fmt.Errorf("%s has grpc-go %s, this program %s: go get google.golang.org/grpc@%s here", path, theirs, ours, theirs)
	}
	return nil
}

// versionOf returns the version of grpc-go, "" for none.
func versionOf(info *debug.BuildInfo) string {
	for _, m := range info.Deps {
		if m.Path == "google.golang.org/grpc" {
			return m.Version
		}
	}
	return ""
}

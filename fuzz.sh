#!/bin/sh
# Runs every fuzz target of the module, each for the given time:
#
#   ./fuzz.sh 30s
set -eu
cd "$(dirname "$0")"

for file in $(grep -rlE '^func Fuzz' --include='*_test.go' .); do
	package=$(dirname "$file")
	for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' "$file"); do
		echo "== $package $target"
		go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$1"
	done
done

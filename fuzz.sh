#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the given time, prints how often
# each was executed, and fails if one of them crashed:
#
#   ./fuzz.sh 30s
#
# FUZZJOBS targets run at once, each on one thread: by default three for each
# processor, so that CI's 30 s for each of N targets take N/6 × 30 s on two
# processors (28 targets: two and a half minutes) and not N × 30 s. FUZZ is a regular
# expression of the targets to run.
#
# Inputs that a crash was found with are written to testdata/fuzz; other
# interesting ones are kept in Go's cache for the next run.
set -euo pipefail
cd "$(dirname "$0")"

time=${1:-30s}
jobs=${FUZZJOBS:-$((3 * $(nproc)))}
wanted=${FUZZ:-.}
module=$(go list -m)
cache=$(go env GOCACHE)/fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build DIR BINARY compiles a package's tests to be fuzzed. Where Caddy is
# linked only this module is watched for coverage: to watch all of Caddy means
# to compile it anew, and makes an execution ten times as slow.
build() {
	local watch=(-fuzz=.)
	if [[ $(go list -deps -test "$1") == *github.com/caddyserver/caddy/v2* ]]; then
		watch=(-gcflags="$module/...=-d=libfuzzer")
	fi
	go test -c "${watch[@]}" -o "$2" "$1"
}

# run DIR TARGET fuzzes one target; its output is in $work/TARGET.log, and its
# status in $work/TARGET.status. An interrupt ends it, not -fuzztime: at the end of
# that time Go before 1.27 may call a sound run a failure, "context deadline
# exceeded" (go.dev/issue/75804), the more so the busier the machine.
run() {
	local package=$module/${1#./} status=0
	(cd "$1" && exec timeout --foreground --preserve-status --signal INT --kill-after 60s "$time" \
		"$work/$(echo "$1" | tr / _).test" -test.run '^$' -test.fuzz "^$2\$" \
		-test.fuzzminimizetime 5s -test.parallel 1 -test.timeout 0 -test.fuzzcachedir "$cache/$package") \
		>"$work/$2.log" 2>&1 || status=$?
	echo "$status" >"$work/$2.status"
}

targets=()
while IFS=: read -r file line; do
	target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	[[ $target =~ $wanted ]] && targets+=("$(dirname "$file") $target")
done < <(grep -rE '^func Fuzz' --include='*_test.go' . | sort)

for dir in $(printf '%s\n' "${targets[@]}" | cut -d' ' -f1 | sort -u); do
	build "$dir" "$work/$(echo "$dir" | tr / _).test"
done

for t in "${targets[@]}"; do
	while (($(jobs -rp | wc -l) >= jobs)); do wait -n; done
	read -r dir target <<<"$t"
	run "$dir" "$target" &
done
wait

total=0 failed=0
printf '%-28s %-22s %14s %12s  %s\n' package target executions interesting result
for t in "${targets[@]}"; do
	read -r dir target <<<"$t"
	line=$(grep -aE 'execs: [0-9]+' "$work/$target.log" | tail -1 || true)
	execs=$(sed -nE 's/.*execs: ([0-9]+).*/\1/p' <<<"$line")
	new=$(sed -nE 's/.*new interesting: ([0-9]+).*/\1/p' <<<"$line")
	result=ok
	if [ "$(cat "$work/$target.status")" != 0 ]; then
		result=FAILED failed=$((failed + 1))
	fi
	total=$((total + ${execs:-0}))
	printf '%-28s %-22s %14s %12s  %s\n' "${dir#./}" "$target" "${execs:-0}" "${new:-0}" "$result"
done
printf '%-28s %-22s %14s %12s  %s\n' total "${#targets[@]} targets" "$total" '' "$failed failed"

for t in "${targets[@]}"; do
	read -r dir target <<<"$t"
	if [ "$(cat "$work/$target.status")" != 0 ]; then
		printf '\n== %s %s\n' "$dir" "$target"
		grep -av '^fuzz: elapsed' "$work/$target.log" | tail -50 || true
	fi
done
((failed == 0))

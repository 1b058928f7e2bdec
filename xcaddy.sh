#!/bin/sh
# Builds Caddy with Weir into bin/caddy:
#
#   ./xcaddy.sh        builds
#   ./xcaddy.sh run    builds, and starts Caddy with Caddyfile.example
#
# It uses xcaddy where that is on the PATH, and otherwise builds the same
# program with the Go toolchain alone, from cmd/caddy.
set -eu
cd "$(dirname "$0")"
mkdir -p bin

if command -v xcaddy >/dev/null 2>&1; then
	caddy_version=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
	# A local module needs a version too, or it is looked up all the same.
	xcaddy build "$caddy_version" --output bin/caddy \
		--with "github.com/weirhq/weir@v0.0.0=$(pwd)"
else
	go build -tags nobadger,nomysql,nopgx -ldflags "-s -w" -o bin/caddy ./cmd/caddy
fi

case "${1:-}" in
"") ;;
run) exec bin/caddy run --config Caddyfile.example --adapter caddyfile ;;
*)
	echo "usage: ./xcaddy.sh [run]" >&2
	exit 2
	;;
esac

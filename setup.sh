#!/bin/sh
# Makes sure that the tests have what they need: node and python3, with which
# they run the clients of the published pages. Where it may install packages
# (Debian, as root) it does; elsewhere it says what to install.
set -eu

missing=
for tool in node python3; do
	command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
[ -n "$missing" ] || exit 0

packages=$(echo "$missing" | sed 's/\bnode\b/nodejs/')
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "setup: installing$packages"
	apt-get update -qq
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
else
	echo "setup: the tests need$missing on the PATH: please install Node.js 18 or later and Python 3" >&2
	exit 1
fi

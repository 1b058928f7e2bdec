// Command caddy is Caddy with Weir compiled in: the program that
// `xcaddy build --with github.com/weirhq/weir` builds, from the versions that
// this module pins.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/weirhq/weir"
)

func main() {
	caddycmd.Main()
}

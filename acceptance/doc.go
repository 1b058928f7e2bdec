// Package acceptance proves, from the outside, that the five example
// configurations enforce what their pages promise.
//
// Its tests run the real Caddy binary with examples/NAME/Caddyfile, over real
// HTTP, in front of an origin they script. There are only a few types:
//
//   - Gateway is one running Caddy with one page's example, or an Envoy that asks
//     one, through a Relay.
//   - Origin stands behind it, answers as the requests ask it to and records
//     what reached it; a Gate keeps its answers back.
//   - Call is a request to send, Answer what came back and when. Every answer
//     is audited for the duties that hold for all of them.
//   - A proof is one test, named after the clauses it proves.
//
// README.md lists the clauses that leave nothing to check.
package acceptance

// Package bootstrap writes the Envoy configuration that a policy needs.
//
//   - A need is what Envoy must send and do for one policy: it is worked out
//     from the facts that the policy reads, its contract, and what its origin
//     may say.
//   - An action makes one entry of a descriptor from one of those facts.
//   - A finding is something of a policy that Envoy's Rate Limit Service cannot
//     do, or does otherwise than Caddy.
//   - [Command] is `caddy weir envoy`.
package bootstrap

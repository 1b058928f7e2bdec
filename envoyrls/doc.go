// Package envoyrls is the door for Envoy: its Rate Limit Service
// (envoy.service.ratelimit.v3), on a listener of Caddy's app weir.
//
//   - A Door is the listener, a module of `weir.doors`.
//   - The domain of a call names a policy.
//   - A descriptor is a request, and its entries are attributes: method, path,
//     host, client_ip or remote_address, header.NAME, query.NAME, cookie.NAME,
//     and whatever else a policy names. All descriptors of a call are admitted,
//     or none is charged.
//   - The reply tells the decision: a status for each descriptor, the contract's
//     headers, on a refusal its body, and metadata for Envoy's logs and local
//     replies.
//
// It only translates. What the protocol cannot carry is in docs/envoy.md.
package envoyrls

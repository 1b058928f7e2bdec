// Package compat answers Envoy as envoyproxy/ratelimit does, from a directory of
// its YAML files.
//
// The nouns, in the order in which a call meets them:
//
//   - A [Service] has the configuration of a directory, which it watches, and
//     answers calls by it.
//   - A [Config] is what the files say, compiled: immutable, and replaced whole.
//   - A domain is a tree of descriptors, one level for each entry of a call's
//     descriptor. At each level the rule with the entry's very value comes
//     first, then those with a wildcard in the order of the files, then the one
//     without a value. Nothing is tried again: who matches at one level decides
//     where the next one looks.
//   - A rule is a rate_limit at the end of such a path.
//   - Its counter is a cell of Weir's store: of the domain, the unit, the
//     algorithm, and a hash of all entries. So it outlives reloads, whichever
//     rule matches, and a call's own limit (an override) shares it.
//
// Unless a rule says otherwise it counts as envoyproxy/ratelimit does: each
// descriptor is charged, also the one that is over its limit and those beside
// it. All of a call is decided in one step of the store.
//
// What differs is in docs/envoy-ratelimit.md.
package compat

// Package contract tells a decision the way an API's page says it is told: in
// which headers, with which status, in which words.
//
//   - A [Contract] is compiled once from a policy and is immutable.
//   - [Fields] are the headers of one answer.
//   - An [Answer] is the status and body of a response that Weir gives itself.
//   - A template is a body with placeholders such as {weir.remaining}; it is
//     parsed, and checked as JSON, when the policy is loaded.
//
// The definitions that all of them share:
//
//   - Remaining is max(0, max − used) after the decision.
//   - Reset is when Remaining next grows; of a limit that refuses, when this
//     request's cost fits.
//   - Retry-After is that wait in whole seconds, from 1. Where the wait cannot be
//     known, a limit's `retry` is announced in its place, or nothing.
//   - Times are rounded up to the precision of the field that tells them, so
//     that who comes back at that time is admitted.
//
// No value that reaches a header can hold a CR or LF: header names, limit names
// and content types are checked when the policy is loaded, all else is digits.
package contract

// Package core decides whether a request is within the limits that an API has
// published, and says what the answer must tell about them. It knows neither
// HTTP servers nor wire protocols: a door (caddymodule, envoyrls) turns its
// protocol into a [Request] and a [Decision] back into a response.
//
// The nouns, in the order in which a request meets them:
//
//   - A [Request] carries attributes: method, path, and whatever its [Source] names.
//   - A [Subject] is who is counted. A [Directory] resolves a credential to one.
//   - A [Policy] is a named set of limits, compiled once from a [PolicyConfig].
//   - A [Limit] is one rule: which requests, counted per what, how, how much.
//   - A [Charge] is one limit's demand for one request, and afterwards its [State].
//   - A [Store] keeps the cells. A cell holds what was used; the maximum comes
//     with each charge, so that a changed plan acts at once.
//   - A [Decision] is the outcome for one request, and the state of every charge.
//   - An [Engine] ties a configuration's policies to a directory and a store.
//
// # Units
//
// Times are int64 microseconds: instants since the Unix epoch, durations plain.
// Amounts are int64, from 0 to [MaxAmount]; [Unlimited] lifts a cap. The amounts
// of limits that are settled afterwards are millionths of the configured unit
// (see [Limit.Scale]), so that money adds up exactly.
package core

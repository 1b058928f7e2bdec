// Package memory is the store inside the process: cells in shards, guarded by
// mutexes, and a snapshot on local disk when it closes.
//
// The nouns:
//
//   - A [Store] implements [core.Store].
//   - A shard has the cells of some scopes, and what was set on those owners.
//     All cells of one scope share a shard.
//   - The ledger has the slots that the origin may lease, and the leases.
//   - The receipts say which requests were settled, and which reservations
//     wait for their cost.
//   - A snapshot is all of these but the slots in flight, in a file.
//
// # Locks
//
// An operation takes the locks of everything it names before it looks at
// anything, and keeps them until it is done: shards in ascending order, then
// the ledger, then the receipts. So each operation is one step for all.
//
// # Changes
//
// All changes go through Store.take and Store.settle, which depend on nothing
// but the state, the operation and the time that is given to them. What
// expiring and sweeping remove counts for nothing any more.
//
// # Memory
//
// A cell of a rolling minute with 300 charges takes at most 540 bytes, all
// told; cells are dropped when they count nothing any more, and there are no
// more than Options.MaxCells, but for one of each limit that subjects share
// (see Share), and what is settled for requests that were admitted. As many may
// be the slots and leases, and the owners that attributes are set on. Remembered are at most 2 × 2²⁰ settled requests
// (about 40 bytes each), 2 × 2¹⁷ reservations, 2 × 2¹⁴ requests that were given
// leases though their Take had failed, for each shard 2¹⁰ resets, and for each
// policy 2¹⁴ releases that overtook their leases; of more, the oldest are
// forgotten.
package memory

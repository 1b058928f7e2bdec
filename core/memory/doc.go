// Package memory is the store inside the process: cells in shards, guarded by
// mutexes, and a journal over snapshots on local disk.
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
//   - A part is a shard, the ledger or the receipts. What an operation changes
//     in a part is noted there; the notes of one operation are a record.
//   - The journal is the records since the snapshot, in files: its segments.
//
// # Locks
//
// An operation takes the locks of everything it names before it looks at
// anything, and keeps them until it is done: shards in ascending order, then
// the ledger, then the receipts. So each operation is one step for all. The
// journal's locks come after these.
//
// # Changes
//
// All changes go through Store.take and Store.settle, which depend on nothing
// but the state, the operation and the time that is given to them. What
// expiring and sweeping remove counts for nothing any more: it is not noted.
//
// # Crashes
//
// An operation appends its record while it holds its locks, and returns when the
// record is written as Options.Durability has it. It is assumed that
//
//   - a process that is killed leaves of a write a beginning, maybe none;
//   - a machine that ends leaves of what was not synced a beginning, or zeros
//     from the beginning of a sector on;
//   - what was synced stays, and a file that is renamed is the old or the new.
//
// So a record that is not whole at the end of the last segment, or that ends in
// such zeros, was never acknowledged as kept, and is cut off. Everything else that
// does not fit is damage, and the store does not open.
//
// A snapshot says whether a journal follows it, which there is while the store is
// open: so the newest segment is missed, too. Of one at the end that is empty a start
// cannot tell whether another one, which ended in the middle, has left it.
//
// If a write fails, operations that would need another one are refused without
// an effect until a write succeeds. Those that wait for a write answer its error:
// what they have counted stays counted, and their records are still the next to
// be written. If that would not help, for nobody knows what of the segment is on
// disk, another segment begins with a snapshot.
//
// # Memory
//
// A cell of a rolling minute with 300 charges takes at most 550 bytes, all
// told, which Go's garbage collector does not go through; cells are dropped
// when they count nothing any more, and there are no more than
// Options.MaxCells, but for one of each limit that subjects share (see Share),
// and what is settled for requests that were admitted. As many may be the
// slots and leases, and the owners that attributes are set on. Remembered are
// at most 2 × 2²⁰ settled requests (about 50 bytes each), 2 × 2¹⁷
// reservations, 2 × 2¹⁴ requests that were given leases though their Take had
// failed, for each shard 2¹⁰ resets, and for each policy 2¹⁴ releases that
// overtook their leases; of more, the oldest are forgotten.
package memory

//go:build weir_small_journal

package memory

// minJournal is so small that tests which kill a real Caddy see the journal
// replaced many times.
const minJournal = 16 << 10

//go:build !weir_small_journal

package memory

// minJournal is how many bytes of journal are written at least before they are
// replaced by a snapshot.
const minJournal = 64 << 20

package envoyrls

// What Envoy's configuration and the door say to each other, in entries of
// descriptors whose keys are no attributes. docs/envoy.md has the configuration.
const (
	// EntryKind says what a descriptor is: KindStream or KindDone, or, without
	// it, a request whose end nobody will tell.
	EntryKind = "weir"
	// KindStream is a request whose end Envoy will tell. It takes slots.
	KindStream = "stream"
	// KindDone tells that a request has ended: a descriptor of
	// apply_on_stream_done.
	KindDone = "done"

	// EntryID is in a KindDone the id that the reply's metadata told.
	EntryID = "weir.id"
	// EntryCost, EntryLease, EntryRelease and EntrySet are in a KindDone the
	// origin's headers of these names.
	EntryCost    = "weir.cost"
	EntryLease   = "weir.lease"
	EntryRelease = "weir.release"
	EntrySet     = "weir.set"

	// MetadataID is the key in a reply's dynamic metadata whose value comes back
	// as EntryID. Only admitted requests have it.
	MetadataID = "id"
)

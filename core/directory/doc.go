// Package directory resolves credentials to subjects. It has three
// implementations of core.Directory:
//
//   - [Inline] holds the subjects of the configuration itself.
//   - [File] holds those of a JSON file, and reads it again when it changes.
//   - [HTTP] asks a service, and remembers its answers for a while.
//
// Credentials are secrets. They are kept as 128-bit hashes under a key that is
// made at random for each directory, and no error holds one: mistakes in a file
// are told by line and column, without repeating what stands there. As lookups
// compare keyed hashes, their timing tells nothing of the credentials.
//
// A directory never logs. What goes wrong in the background is handed to the
// callbacks of its options.
package directory

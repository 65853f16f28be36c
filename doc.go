// Package durward is the vocabulary of the gateway: the plain words that every
// other package speaks and that authors of plug-ins build against.
//
// It holds values, not behaviour: who calls ([Agent], [Key], [Credential]),
// what can be called ([Upstream], [Operation]), one request and its answer
// ([Call], [Payload], [Reply], [Peer]), what was decided and why ([Verdict],
// [Finding], [Error]), what was kept of it ([Record]), and the state that the
// data plane runs on ([Snapshot], [Change]). It imports the standard library
// and nothing else, and keeps no state.
package durward

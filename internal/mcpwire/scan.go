package mcpwire

import (
	"fmt"

	"durward"
)

// The limits that a zero [Limits] stands for, and the deepest nesting that can
// be asked for.
const (
	DefaultBytes = 4 << 20
	DefaultDepth = 64
	MaxDepth     = 512
)

// maxID bounds a raw request id: ids are kept while a call runs.
const maxID = 1024

// Limits bound one message. A zero field means its default.
type Limits struct {
	Bytes int // of the whole message
	Depth int // of nested objects and arrays, the envelope included
}

func (l Limits) orDefault() Limits {
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	if l.Depth <= 0 {
		l.Depth = DefaultDepth
	}
	l.Depth = min(l.Depth, MaxDepth)
	return l
}

// Kind tells what a [Message] is. The zero Kind is none of them.
type Kind uint8

// The kinds of messages.
const (
	Request Kind = iota + 1
	Notification
	Response
)

// String returns the word for the kind.
func (k Kind) String() string {
	switch k {
	case Request:
		return "request"
	case Notification:
		return "notification"
	case Response:
		return "response"
	}
	return "none"
}

// Message is one scanned JSON-RPC message. Its slices alias the scanned bytes.
type Message struct {
	Kind   Kind
	Method string // of a request or notification
	Raw    []byte // the whole message without surrounding white space
	ID     []byte // raw: a JSON string or integer; nil for none, or null in an error response
	Params []byte // raw object; nil when absent
	Result []byte // raw object of a response; nil for an error response
	Error  []byte // raw object of an error response
	// Fault is why a message of a batch cannot be served; beside it there are
	// only Raw and what could be read of ID.
	Fault *ScanError

	payload durward.Payload
}

// ScanError tells why bytes are no acceptable message.
type ScanError struct {
	Offset  int    // in the scanned bytes
	Reason  string // short, safe to show
	RPCCode int    // what to answer with: -32700, -32600 or -32602
	ID      []byte // the raw id of the request, when it was readable
}

// Error implements error.
func (e *ScanError) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// RPC returns the JSON-RPC error to answer with.
func (e *ScanError) RPC() *durward.RPCError {
	title := "Invalid request"
	switch e.RPCCode {
	case CodeParse:
		title = "Parse error"
	case CodeInvalidParams:
		title = "Invalid params"
	}
	return &durward.RPCError{Code: e.RPCCode, Message: fmt.Sprintf("%s: %s (byte %d)", title, e.Reason, e.Offset)}
}

// Scan reads exactly one JSON-RPC message. It is strict, because what decides
// here and what acts behind us must read the same thing:
//
//   - RFC 8259 to the letter, valid UTF-8, no byte order mark, nothing after the
//     value, depth and size within l, at most 65,536 keys in an object;
//   - in requests and notifications, no object anywhere has the same key twice
//     (escapes are decoded first) and no string has a lone surrogate escape;
//   - in the envelope, in params, in _meta and in a completion's ref, no key
//     equals a routed key under Unicode simple case folding without being it:
//     a case-insensitive parser would take it for the routed one;
//   - jsonrpc is "2.0", method a string, params an object, id a string or an
//     integer without fraction or exponent; a response has a result or an error.
//
// In a response, duplicate keys are refused in the envelope and at the top of
// result and error; below, results only need to be valid JSON and UTF-8, and a
// lone surrogate escape passes in a string value: nothing is decided there, and
// servers that cut strings by UTF-16 units do send them. [Value] checks a part
// of a result that something will be decided on.
//
// An error is always a *[ScanError].
func Scan(raw []byte, l Limits) (Message, error) {
	l = l.orDefault()
	s := scanner{data: raw, depth: l.Depth}
	if len(raw) > l.Bytes {
		return Message{}, s.tooLarge(l.Bytes)
	}
	i := s.message(s.space(0))
	if i >= 0 {
		i = s.end(i)
	}
	if i < 0 {
		return Message{}, s.failure()
	}
	m := s.build()
	if s.err != nil {
		return Message{}, s.failure()
	}
	return m, nil
}

// ScanBatch reads a JSON-RPC batch of at most most messages (MCP 2025-03-26
// only). A message that is none has a Fault, and the others go on (JSON-RPC
// 2.0, section 6). What is no JSON refuses the batch, as do too many messages
// and none; such an error is nobody's answer and has no id.
func ScanBatch(raw []byte, l Limits, most int) ([]Message, error) {
	l = l.orDefault()
	s := scanner{data: raw, depth: l.Depth}
	if len(raw) > l.Bytes {
		return nil, s.tooLarge(l.Bytes)
	}
	ms, i := s.batch(s.space(0), most)
	if i >= 0 {
		i = s.end(i)
	}
	if i < 0 {
		s.hard.ID = nil
		return nil, s.hard
	}
	return ms, nil
}

// IsBatch reports whether raw looks like a batch: its first byte that is not
// white space opens an array.
func IsBatch(raw []byte) bool {
	i := skipSpace(raw, 0)
	return i < len(raw) && raw[i] == '['
}

// Value checks any one JSON value as strictly as [Scan] checks params:
// duplicate keys and lone surrogates are refused at every depth.
func Value(raw []byte, l Limits) error {
	l = l.orDefault()
	s := scanner{data: raw, depth: l.Depth}
	if len(raw) > l.Bytes {
		return s.tooLarge(l.Bytes)
	}
	i := s.value(s.space(0), 0, roleStrict)
	if i >= 0 {
		i = s.end(i)
	}
	if i < 0 || s.err != nil {
		return s.failure()
	}
	return nil
}

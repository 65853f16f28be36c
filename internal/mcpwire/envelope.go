package mcpwire

import (
	"bytes"

	"durward"
)

// found holds where the values of routed keys lie; it is reset per message.
type found [slotCount]durward.Span

// message scans one JSON-RPC object at i and returns the index behind it.
func (s *scanner) message(i int) int {
	if i >= len(s.data) || s.data[i] != '{' {
		if i < len(s.data) && s.data[i] == '[' {
			return s.refuse(i, CodeInvalidRequest, "a batch is not allowed here")
		}
		if end := s.value(i, 0, roleStrict); end < 0 {
			return end
		}
		return s.refuse(i, CodeInvalidRequest, "the message is not an object")
	}
	s.found = found{}
	s.begin = i
	end := s.object(i, 1, roleEnvelope)
	s.stop = end
	return end
}

func (s *scanner) batch(i, most int) ([]Message, int) {
	if i >= len(s.data) || s.data[i] != '[' {
		return nil, s.refuse(i, CodeInvalidRequest, "the batch is not an array")
	}
	var ms []Message
	for i = s.space(i + 1); ; i = s.space(i + 1) {
		if len(ms) == 0 && i < len(s.data) && s.data[i] == ']' {
			return nil, s.refuse(i, CodeInvalidRequest, "the batch is empty")
		}
		if len(ms) >= most {
			return nil, s.refuse(i, CodeInvalidRequest, "too many messages in the batch")
		}
		var m Message
		if m, i = s.batched(i); i < 0 {
			return nil, i
		}
		ms = append(ms, m)
		i = s.space(i)
		if i < len(s.data) && s.data[i] == ']' {
			return ms, i + 1
		}
		if i >= len(s.data) || s.data[i] != ',' {
			return nil, s.syntax(i, "expected , or ] in an array")
		}
	}
}

// batched scans one message of a batch at i and returns the index behind it.
// One that is well-formed JSON but no acceptable message has a Fault, and harms
// no other.
func (s *scanner) batched(i int) (Message, int) {
	s.err, s.twoIDs = nil, false
	if i < len(s.data) && s.data[i] != '{' {
		end := s.value(i, 1, roleStrict)
		return Message{Raw: s.data[i:max(i, end)], Fault: &ScanError{Offset: i, Reason: "the message is not an object", RPCCode: CodeInvalidRequest}}, end
	}
	if i = s.message(i); i < 0 {
		return Message{}, i
	}
	m := s.build()
	if s.err != nil {
		e := s.failure()
		m = Message{Raw: m.Raw, ID: e.ID, Fault: e}
	}
	return m, i
}

// build makes a Message of what was found, or records why it is none.
func (s *scanner) build() Message {
	m := Message{Raw: s.data[s.begin:s.stop], Params: s.at(slotParams), Result: s.at(slotResult), Error: s.at(slotError)}
	m.ID = s.readID()
	if v := s.at(slotVersion); !bytes.Equal(v, []byte(`"2.0"`)) && !IsText(v, "2.0") {
		s.report(s.start(slotVersion), CodeInvalidRequest, `jsonrpc is not "2.0"`)
		return m
	}
	if method := s.at(slotMethod); method != nil {
		s.buildRequest(&m, method)
		return m
	}
	s.buildResponse(&m)
	return m
}

func (s *scanner) buildRequest(m *Message, method []byte) {
	m.Kind = Notification
	if s.found[slotID].Present() {
		m.Kind = Request
	}
	if m.Result != nil || m.Error != nil {
		s.report(s.start(slotMethod), CodeInvalidRequest, "a message has a method and a result or error")
		return
	}
	var ok bool
	if m.Method, ok = methodName(method); !ok {
		s.report(s.start(slotMethod), CodeInvalidRequest, "method is not a string")
		return
	}
	if m.Kind == Request && m.ID == nil {
		s.report(s.start(slotID), CodeInvalidRequest, "id is not a string or an integer")
		return
	}
	if m.Params == nil {
		return
	}
	if m.Params[0] != '{' {
		s.report(s.start(slotParams), CodeInvalidParams, "params is not an object")
		return
	}
	m.payload = s.payload(m.Params)
}

func (s *scanner) buildResponse(m *Message) {
	m.Kind = Response
	switch {
	case m.Params != nil:
		s.report(s.start(slotParams), CodeInvalidRequest, "method is missing")
	case m.Result == nil && m.Error == nil:
		s.report(s.begin, CodeInvalidRequest, "method is missing")
	case m.Result != nil && m.Error != nil:
		s.report(s.start(slotError), CodeInvalidRequest, "a response has both result and error")
	case m.Result != nil && m.Result[0] != '{':
		s.report(s.start(slotResult), CodeInvalidRequest, "result is not an object")
	case m.Error != nil && m.Error[0] != '{':
		s.report(s.start(slotError), CodeInvalidRequest, "error is not an object")
	case m.ID == nil && !s.mayLackID(m):
		s.report(s.start(slotID), CodeInvalidRequest, "id is not a string or an integer")
	}
}

// mayLackID reports whether the id may be null or absent: only in the error
// response to what could not be read.
func (s *scanner) mayLackID(m *Message) bool {
	id := s.at(slotID)
	return m.Error != nil && (id == nil || string(id) == "null")
}

// readID returns the raw id when it is one, for the message or for the error.
func (s *scanner) readID() []byte {
	id := s.at(slotID)
	if !validID(id) {
		return nil
	}
	return id
}

func validID(id []byte) bool {
	if len(id) == 0 || len(id) > maxID {
		return false
	}
	return id[0] == '"' || isInteger(id)
}

// isInteger reports whether a valid JSON number has neither fraction nor exponent.
func isInteger(v []byte) bool {
	if len(v) == 0 || (v[0] != '-' && (v[0] < '0' || v[0] > '9')) {
		return false
	}
	for _, c := range v {
		if c == '.' || c == 'e' || c == 'E' {
			return false
		}
	}
	return true
}

// payload moves the spans of params from the message to params itself.
func (s *scanner) payload(params []byte) durward.Payload {
	base := s.found[slotParams].Start
	at := func(k slot) durward.Span {
		f := s.found[k]
		if !f.Present() {
			return f
		}
		return durward.Span{Start: f.Start - base, End: f.End - base}
	}
	return durward.Payload{
		Raw: params, Name: at(slotName), URI: at(slotURI), Ref: at(slotRef),
		Arguments: at(slotArguments), Meta: at(slotMeta), Cursor: at(slotCursor),
		InputResponses: at(slotInputResponses), RequestState: at(slotRequestState), Task: at(slotTask), TaskID: at(slotTaskID),
	}
}

// at returns the bytes of a routed value; nil when it was absent.
func (s *scanner) at(k slot) []byte { return s.found[k].Of(s.data) }

// start returns where a routed value begins, or the message when it is absent.
func (s *scanner) start(k slot) int {
	if !s.found[k].Present() {
		return s.begin
	}
	return s.found[k].Start
}

package mcpwire

import (
	"maps"
	"net/http"
)

// Fault is something that a client did against its revision, and that may be
// overlooked because the rest of its request says what is meant. The values
// are the rules under which faults are recorded.
type Fault string

// The faults that can be overlooked.
const (
	FaultVersionMissing Fault = "compat.version_header_missing"
	FaultVersionWrong   Fault = "compat.version_header_wrong"
	FaultMethodMissing  Fault = "compat.method_header_missing"
	FaultNameMissing    Fault = "compat.name_header_missing"
)

// Faults are all there are.
func Faults() []Fault {
	return []Fault{FaultVersionMissing, FaultVersionWrong, FaultMethodMissing, FaultNameMissing}
}

// ClassifyTolerant is [Classify] for clients that are known to be wrong: it
// overlooks routing headers that are missing, and a version header that is
// missing or wrong where the body says the version, or where the request
// belongs to a session and the body says none. A header that is there and
// contradicts the body's method or name is refused as ever: who routes on it
// would have routed wrong.
func ClassifyTolerant(h http.Header, m *Message) (Decision, []Fault, *Refusal) {
	mended, faults := mend(h, m)
	d, bad := Classify(mended, m)
	if bad != nil {
		return d, nil, bad
	}
	return d, faults, nil
}

// mend returns the header as it should have been.
func mend(h http.Header, m *Message) (http.Header, []Fault) {
	d, _ := read(m)
	said, conflict := single(h, HeaderVersion)
	asked := d.Meta.ProtocolVersion
	if conflict {
		return h, nil
	}
	if asked == "" && said != "" && !KnownLegacy(said) && len(h[HeaderSession]) == 1 {
		mended := maps.Clone(h)
		delete(mended, HeaderVersion)
		return mended, []Fault{FaultVersionWrong}
	}
	if asked != NewestModern {
		return h, nil
	}
	var faults []Fault
	mended := maps.Clone(h)
	set := func(f Fault, header, value string) {
		faults = append(faults, f)
		mended[header] = []string{value}
	}
	switch said {
	case asked:
	case "":
		set(FaultVersionMissing, HeaderVersion, asked)
	default:
		set(FaultVersionWrong, HeaderVersion, asked)
	}
	if method, _ := single(h, HeaderMethod); method == "" && m.Kind == Request {
		set(FaultMethodMissing, HeaderMethod, m.Method)
	}
	field := NameOf(m.Method)
	if field == "" || len(h[HeaderName]) > 0 {
		return mended, faults
	}
	if name, ok := FieldText(d.Payload.Raw, field); ok {
		set(FaultNameMissing, HeaderName, EncodeHeader(name))
	}
	return mended, faults
}

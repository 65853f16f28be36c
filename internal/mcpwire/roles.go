package mcpwire

import "bytes"

// role is the place of an object in a message: it decides which keys are
// routed and how strict the scan is. All but roleLoose refuse duplicate keys;
// all before roleResult refuse lone surrogate escapes.
type role uint8

const (
	roleStrict   role = iota // arguments and everything else in a request
	roleEnvelope             // the message itself
	roleParams               // params
	roleMeta                 // params._meta
	roleRef                  // params.ref of completion/complete
	roleResult               // top of a result: duplicates refused, lone surrogates allowed
	roleError                // top of an error: the same
	roleLoose                // deep in a result: valid JSON is enough
)

// slot numbers a routed key whose place is remembered.
type slot uint8

const (
	slotNone slot = iota
	slotVersion
	slotID
	slotMethod
	slotParams
	slotResult
	slotError
	slotName
	slotURI
	slotRef
	slotArguments
	slotMeta
	slotCursor
	slotInputResponses
	slotRequestState
	slotTask
	slotTaskID
	slotCount
)

// child returns the role of the values inside an object or array of role r.
func (r role) child() role {
	if r >= roleResult {
		return roleLoose
	}
	return roleStrict
}

// route looks a decoded key up among the routed keys of a role: where to
// remember the value, and the role of the value.
func (r role) route(key []byte) (slot, role) {
	switch r {
	case roleEnvelope:
		return routeEnvelope(key)
	case roleParams:
		return routeParams(key)
	}
	return slotNone, r.child()
}

func routeEnvelope(key []byte) (slot, role) {
	switch string(key) {
	case "jsonrpc":
		return slotVersion, roleStrict
	case "id":
		return slotID, roleStrict
	case "method":
		return slotMethod, roleStrict
	case "params":
		return slotParams, roleParams
	case "result":
		return slotResult, roleResult
	case "error":
		return slotError, roleError
	}
	return slotNone, roleStrict
}

func routeParams(key []byte) (slot, role) {
	switch string(key) {
	case "name":
		return slotName, roleStrict
	case "uri":
		return slotURI, roleStrict
	case "ref":
		return slotRef, roleRef
	case "arguments":
		return slotArguments, roleStrict
	case "_meta":
		return slotMeta, roleMeta
	case "cursor":
		return slotCursor, roleStrict
	case "inputResponses":
		return slotInputResponses, roleStrict
	case "requestState":
		return slotRequestState, roleStrict
	case "task":
		return slotTask, roleStrict
	case "taskId":
		return slotTaskID, roleStrict
	}
	return slotNone, roleStrict
}

// The keys that something is decided on, per role. A key that only equals one
// of them under case folding is refused.
var routedKeys = [...][][]byte{
	roleEnvelope: keys("jsonrpc", "id", "method", "params", "result", "error"),
	roleParams: keys("name", "uri", "ref", "arguments", "_meta", "cursor", "inputResponses", "requestState",
		"argument", "level", "requestId", "progressToken", "taskId", "task", "notifications",
		"protocolVersion", "capabilities", "clientInfo"),
	roleMeta: keys(MetaProtocolVersion, MetaClientCapabilities, MetaClientInfo, MetaLogLevel,
		MetaServerInfo, MetaSubscriptionID, MetaRelatedTask, "progressToken"),
	roleRef: keys("type", "name", "uri"),
	roleResult: keys("resultType", "content", "structuredContent", "isError", "contents", "messages",
		"inputRequests", "requestState", "_meta"),
	roleError: keys("code", "message", "data"),
}

func keys(names ...string) [][]byte {
	out := make([][]byte, len(names))
	for i, n := range names {
		out[i] = []byte(n)
	}
	return out
}

// impostor reports whether a decoded key would be taken for a routed key of r
// by a parser that ignores case, while it is not that key.
func (r role) impostor(key []byte) bool {
	if int(r) >= len(routedKeys) || len(key) == 0 {
		return false
	}
	for _, name := range routedKeys[r] {
		switch {
		case len(key) < len(name) || len(key) > 3*len(name):
			// A letter that folds to ASCII (long s, Kelvin sign) is longer, never shorter.
		case len(key) == len(name) && (key[0]^name[0])&^0x20 != 0:
			// Equal length means ASCII, where case is one bit.
		case bytes.Equal(key, name):
			return false
		case bytes.EqualFold(key, name):
			return true
		}
	}
	return false
}

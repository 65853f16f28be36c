package edge

import (
	"durward"
	"durward/internal/httpwire"
	"strings"
)

// headerVia holds the gateways that a request came through, comma separated:
// each adds the id of its process on the way upstream.
const headerVia = "Durward-Via"

// Bounds of a chain of gateways.
const (
	maxVia      = 8
	maxViaBytes = 512
)

// viaOf returns the gateways that a request came through. One that came
// through this process before would go round for ever, and its lists would
// grow with each round: it is refused, and so is a chain that is too long.
func (s *Server) viaOf(x *httpwire.Exchange) (string, error) {
	sent := x.Header()[headerVia]
	if len(sent) == 0 {
		return "", nil
	}
	via := strings.Join(sent, ", ")
	ids := strings.Split(via, ",")
	if len(ids) > maxVia || len(via) > maxViaBytes {
		return "", looped("The request came through more gateways than are allowed in a row.")
	}
	for _, id := range ids {
		if s.opts.Instance != "" && strings.TrimSpace(id) == s.opts.Instance {
			return "", looped("The request came through this gateway before: one of the upstreams leads back to it. Remove that upstream.")
		}
	}
	return via, nil
}

func looped(msg string) *durward.Error {
	return &durward.Error{Code: durward.LoopDetected, Reason: durward.ReasonLoopDetected, Message: msg}
}

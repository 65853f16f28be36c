package durwardtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// ServeOracle is a classifier of texts over HTTP, until the process ends:
//
//	oracle ADDRFILE WORD
//
// It gives a text with the word 0.93, with "silence" no answer, and others
// 0.04. The address is written to ADDRFILE.
func ServeOracle(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: oracle ADDRFILE WORD")
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Text string `json:"text"`
		}
		_ = json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&q)
		switch {
		case strings.Contains(q.Text, args[1]):
			_, _ = w.Write([]byte(`{"score":0.93}`))
		case strings.Contains(q.Text, "silence"):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = w.Write([]byte(`{"score":0.04}`))
		}
	}
	return serveAt(args[0], "", http.HandlerFunc(answer))
}

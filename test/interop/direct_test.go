package interop

import (
	"fmt"
	"testing"

	"durward/internal/durwardtest"
)

// A server whose list grows, over stdio.
func TestDirectGrowth(t *testing.T) {
	for _, k := range kinds {
		if k.transport != "stdio" {
			continue
		}
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			p := k.connect(t, target{command: []string{durwardtest.Build(t, durwardtest.Grower)}}, k)
			growth(t, p, k, bare)
			_ = p.Close()
		})
	}
}

// The peers among themselves: what fails here is not the gateway's doing.
func TestDirect(t *testing.T) {
	server := durwardtest.Build(t, durwardtest.EverythingServer)
	for _, k := range kinds {
		if k.transport == "sse" {
			continue // the server does not speak it
		}
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			to := target{command: []string{server}}
			if k.transport == "http" {
				addr := durwardtest.StartHTTP(t, durwardtest.StartOptions{}, server, "-http", "{ADDR}", fmt.Sprintf("-stateless=%t", k.modern))
				to = target{url: "http://" + addr + "/"}
			}
			p := k.connect(t, to, k)
			everything(t, p, k, k.modern, bare)
			if err := p.Close(); err != nil {
				t.Logf("Close: %v", err)
			}
		})
	}
}

package boot

import (
	"context"
	"encoding/json"
	"time"

	"durward"
	"durward/internal/admin"
)

// testTime bounds how long an operator waits for an upstream that is tested.
const testTime = 25 * time.Second

// test reaches an upstream now and tells what it offers. What is wrong with it
// is part of the answer.
func (g *Gateway) test(ctx context.Context, name string) (admin.UpstreamTest, error) {
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	offers, err := g.upstreams.Fresh(ctx, name)
	t := admin.UpstreamTest{Status: g.statusOf(name)}
	if err == nil && offers.Err != nil {
		err = offers.Err
	}
	if err != nil {
		t.Status.Error = err.Error()
		return t, nil
	}
	g.pipeline.CatchUp(name) // what is asked next is asked of what was just read
	for _, def := range offers.Tools {
		t.Tools = append(t.Tools, json.RawMessage(def))
	}
	return t, nil
}

// reread reads what an upstream lists now and puts that in force; one that
// cannot be reached stays as it was.
func (g *Gateway) reread(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	if _, err := g.upstreams.Fresh(ctx, name); err == nil {
		g.pipeline.CatchUp(name)
	}
}

func (g *Gateway) statusOf(name string) durward.UpstreamStatus {
	for _, s := range g.upstreams.Status() {
		if s.Name == name {
			return s
		}
	}
	return durward.UpstreamStatus{Name: name}
}

package upstream

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"slices"
	"strings"
	"time"
)

// watchers are who wants to hear of which resource; guarded by the keeper's mu.
type watchers struct {
	byURI map[string]map[int]func(durward.Event)
	last  int
}

// watch counts one more watcher of each resource.
func (k *keeper) watch(uris []string, fn func(durward.Event)) (cancel func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watchers.last++
	id := k.watchers.last
	uris = slices.Clone(uris)
	for _, uri := range uris {
		if k.watchers.byURI[uri] == nil {
			k.watchers.byURI[uri] = map[int]func(durward.Event){}
		}
		k.watchers.byURI[uri][id] = fn
	}
	k.wake()
	return func() { k.unwatch(id, uris) }
}

func (k *keeper) unwatch(id int, uris []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, uri := range uris {
		delete(k.watchers.byURI[uri], id)
		if len(k.watchers.byURI[uri]) == 0 {
			delete(k.watchers.byURI, uri)
		}
	}
	k.wake()
}

func (k *keeper) watching() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.watchers.byURI)
}

func (k *keeper) watched() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	uris := make([]string, 0, len(k.watchers.byURI))
	for uri := range k.watchers.byURI {
		uris = append(uris, uri)
	}
	slices.Sort(uris)
	return uris
}

// updated tells the watchers of a resource, and of those that contain it: a
// server may name a part of what was asked for (MCP, resource subscriptions).
func (k *keeper) updated(params []byte) {
	uri, ok := mcpwire.FieldText(params, "uri")
	if !ok {
		return
	}
	e := durward.Event{Method: mcpwire.NotifyResourceUpdated, Params: untagged(params)}
	for _, fn := range k.concerned(uri) {
		fn(e) // outside the lock: it may come back to us
	}
}

func (k *keeper) concerned(uri string) (fns []func(durward.Event)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for watched, by := range k.watchers.byURI {
		if uri != watched && !strings.HasPrefix(uri, strings.TrimSuffix(watched, "/")+"/") {
			continue
		}
		for _, fn := range by {
			fns = append(fns, fn)
		}
	}
	return fns
}

// untagged returns params without the mark of the subscription that brought them.
func untagged(params []byte) []byte {
	meta, ok := mcpwire.Field(params, "_meta")
	if !ok {
		return params
	}
	left := mcpwire.DropFields(meta, mcpwire.MetaSubscriptionID)
	for range mcpwire.Fields(left) {
		return mcpwire.SetField(params, "_meta", left)
	}
	return mcpwire.DropFields(params, "_meta")
}

// followAll makes every conversation on which changes are heard follow what is watched.
func (k *keeper) followAll(ctx context.Context) {
	uris := k.watched()
	if len(uris) > 0 && k.own == nil && k.server.gate.admit() == nil {
		if err := k.connect(ctx); err != nil {
			k.retry.fail(err)
			k.due = time.Now().Add(k.retry.wait())
		}
	}
	if k.own != nil {
		k.own.follow.set(ctx, uris)
	}
	k.mu.Lock()
	agents := slices.Clone(k.agents)
	k.mu.Unlock()
	for _, e := range agents {
		e.follow.set(ctx, uris)
	}
}

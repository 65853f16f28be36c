package upstream

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/mcpwire"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what is watched of one upstream. The resources need not exist, so
// an agent can watch as many as it likes.
const (
	watchesMost = 1000 // of one agent: each resource of each of its streams
	watchedMost = 4000 // resources of all agents
	watchedURI  = 2 << 10
)

// watchers are who wants to hear of which resource; guarded by the keeper's mu.
type watchers struct {
	byURI map[string]map[int]watcher
	// watches counts how often an agent watches a resource, and total how often
	// it watches any.
	watches map[string]map[string]int
	total   map[string]int
	last    int
}

type watcher struct {
	agent string
	fn    func(durward.Event)
}

func newWatchers() watchers {
	return watchers{byURI: map[string]map[int]watcher{}, watches: map[string]map[string]int{}, total: map[string]int{}}
}

// watch counts one more watcher of each resource.
func (k *keeper) watch(agent string, uris []string, fn func(durward.Event)) (cancel func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	uris = slices.Compact(slices.Sorted(slices.Values(uris)))
	if err := k.mayWatch(agent, uris); err != nil {
		return nil, err
	}
	k.watchers.last++
	id := k.watchers.last
	for _, uri := range uris {
		k.watchers.add(uri, id, watcher{agent, fn})
	}
	k.wake()
	return sync.OnceFunc(func() { k.unwatch(id, agent, uris) }), nil
}

func (k *keeper) mayWatch(agent string, uris []string) error {
	w, more := &k.watchers, 0
	for _, uri := range uris {
		if len(uri) > watchedURI {
			return k.server.overloaded("has a resource whose URI is too long to be watched.")
		}
		if w.byURI[uri] == nil {
			more++
		}
	}
	if w.total[agent]+len(uris) > watchesMost || len(w.byURI)+more > watchedMost {
		return k.server.overloaded("has as many resources watched as it may.")
	}
	return nil
}

func (w *watchers) add(uri string, id int, by watcher) {
	if w.byURI[uri] == nil {
		w.byURI[uri] = map[int]watcher{}
	}
	w.byURI[uri][id] = by
	if w.watches[by.agent] == nil {
		w.watches[by.agent] = map[string]int{}
	}
	w.watches[by.agent][uri]++
	w.total[by.agent]++
}

func (k *keeper) unwatch(id int, agent string, uris []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := &k.watchers
	for _, uri := range uris {
		if delete(w.byURI[uri], id); len(w.byURI[uri]) == 0 {
			delete(w.byURI, uri)
		}
		if w.watches[agent][uri]--; w.watches[agent][uri] == 0 {
			delete(w.watches[agent], uri)
		}
	}
	if w.total[agent] -= len(uris); w.total[agent] == 0 {
		delete(w.total, agent)
		delete(w.watches, agent)
	}
	k.wake()
}

func (k *keeper) watching() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.watchers.byURI)
}

// watched returns what is watched: by each agent, and by all, an item of each
// agent in turn, so that nobody waits behind all that another watches.
func (k *keeper) watched() (all []string, of map[string][]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of = make(map[string][]string, len(k.watchers.watches))
	most := 0
	for agent, uris := range k.watchers.watches {
		of[agent] = slices.Sorted(maps.Keys(uris))
		most = max(most, len(uris))
	}
	agents := slices.Sorted(maps.Keys(of))
	seen := make(map[string]bool, len(k.watchers.byURI))
	for i := range most {
		for _, agent := range agents {
			if i < len(of[agent]) && !seen[of[agent][i]] {
				seen[of[agent][i]] = true
				all = append(all, of[agent][i])
			}
		}
	}
	return all, of
}

// updatesMost is how many different updates wait to be told.
const updatesMost = 1000

// update is one that waits.
type update struct {
	uri    string
	params []byte
}

// updated takes an update of a resource. It is told a moment later, and once:
// each of the processes of one agent says the same of what they all follow,
// and a resource that changes often is to be read once for many changes.
func (k *keeper) updated(params []byte) {
	uri, ok := mcpwire.FieldText(params, "uri")
	if !ok {
		return
	}
	u := update{uri, untagged(params)}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case slices.ContainsFunc(k.updates, func(o update) bool { return o.uri == uri && bytes.Equal(o.params, u.params) }):
		return
	case len(k.updates) == updatesMost:
		k.server.counters.Overflow.Add(1)
		return
	}
	if k.updates = append(k.updates, u); len(k.updates) == 1 {
		time.AfterFunc(settle, k.tellUpdates)
	}
}

// tellUpdates tells the watchers of each resource, and of those that contain
// it: a server may name a part of what was asked for (MCP, resource subscriptions).
func (k *keeper) tellUpdates() {
	k.mu.Lock()
	all := k.updates
	k.updates = nil
	k.mu.Unlock()
	for _, u := range all {
		e := durward.Event{Method: mcpwire.NotifyResourceUpdated, Params: u.params}
		for _, fn := range k.concerned(u.uri) {
			fn(e) // outside the lock: it may come back to us
		}
	}
}

func (k *keeper) concerned(uri string) (fns []func(durward.Event)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for watched, by := range k.watchers.byURI {
		if uri != watched && !strings.HasPrefix(uri, strings.TrimSuffix(watched, "/")+"/") {
			continue
		}
		for _, w := range by {
			fns = append(fns, w.fn)
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

// followAll makes every conversation on which changes are heard follow what is
// watched; the process of an agent what that agent watches.
func (k *keeper) followAll(ctx context.Context) {
	all, of := k.watched()
	if len(all) > 0 && k.own == nil && k.server.gate.admit() == nil {
		if err := k.connect(ctx); err != nil {
			k.retry.fail(err)
			k.due = time.Now().Add(k.retry.wait())
		}
	}
	if k.own != nil {
		k.own.follow.set(all)
	}
	k.mu.Lock()
	agents := slices.Clone(k.agents)
	k.mu.Unlock()
	for _, e := range agents {
		e.follow.set(of[e.slot.key.agent])
	}
}

package mcpedge

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"errors"
)

// listen is subscriptions/listen (MCP 2026-07-28): first what is honoured, then
// each change, all tagged with the id of the request; a result when we end it.
func (f *Face) listen(ctx context.Context, t *turn) (durward.Reply, error) {
	wanted, err := topicsOf(t.call.Input.Raw)
	if err != nil {
		return durward.Reply{}, err
	}
	if f.isDraining() {
		return durward.Reply{}, shuttingDown()
	}
	w, err := f.gw.Watch(ctx, &t.call, wanted)
	if err != nil {
		return durward.Reply{}, err
	}
	defer w.Close()
	t.tell(mcpwire.NotifyAcknowledged, append(append([]byte(`{"notifications":`), filterOf(w.Granted())...), '}'))
	err = f.hear(ctx, w.Events(), t.quit, func(e durward.Event) error {
		t.tell(e.Method, e.Params) // lost news of an agent that reads too slowly: it can ask
		return nil
	}, func() error { return f.readmit(ctx, &t.call) })
	if err != nil && !errors.Is(err, errWatchEnded) {
		return durward.Reply{}, err
	}
	return durward.Reply{Result: t.tag([]byte(`{"resultType":"complete"}`)), Modern: true}, nil
}

func (t *turn) tell(method string, params []byte) {
	if params == nil {
		params = []byte("{}")
	}
	t.peer.out.tell(mcpwire.AppendNotification(nil, method, t.tag(params)))
}

// tag names the subscription in _meta, with the id's own JSON type.
func (t *turn) tag(object []byte) []byte {
	meta, ok := mcpwire.Field(object, "_meta")
	if !ok {
		meta = []byte("{}")
	}
	return mcpwire.SetField(object, "_meta", mcpwire.SetField(meta, mcpwire.MetaSubscriptionID, t.id))
}

// topicsOf reads the filter of a subscription. What we do not know in it is
// not granted.
func topicsOf(params []byte) (durward.Topics, error) {
	var t durward.Topics
	filter, ok := mcpwire.Field(params, "notifications")
	if !ok || !mcpwire.IsObject(filter) {
		return t, mcpwire.InvalidParams("Invalid params: notifications is missing or not an object")
	}
	for key, value := range mcpwire.Fields(filter) {
		is, isBool := mcpwire.Bool(value)
		switch key {
		case "toolsListChanged":
			t.Tools = is
		case "promptsListChanged":
			t.Prompts = is
		case "resourcesListChanged":
			t.Resources = is
		case "resourceSubscriptions":
			var err error
			if t.URIs, err = urisOf(value); err != nil {
				return t, err
			}
			continue
		default:
			continue
		}
		if !isBool {
			return t, mcpwire.InvalidParams("Invalid params: notifications: " + key + " is not a boolean")
		}
	}
	return t, nil
}

func urisOf(value []byte) (uris []string, err error) {
	if !mcpwire.IsArray(value) {
		return nil, mcpwire.InvalidParams("Invalid params: resourceSubscriptions is not an array")
	}
	for e := range mcpwire.Elements(value) {
		uri, ok := mcpwire.Text(e)
		if !ok {
			return nil, mcpwire.InvalidParams("Invalid params: resourceSubscriptions holds what is not a string")
		}
		if len(uris) == maxURIs {
			return nil, mcpwire.InvalidParams("Invalid params: resourceSubscriptions holds too many resources")
		}
		uris = append(uris, uri)
	}
	return uris, nil
}

// filterOf writes what is honoured.
func filterOf(t durward.Topics) []byte {
	b := []byte{'{'}
	for _, f := range [...]struct {
		key string
		is  bool
	}{{"toolsListChanged", t.Tools}, {"promptsListChanged", t.Prompts}, {"resourcesListChanged", t.Resources}} {
		if f.is {
			b = append(appendComma(b), `"`+f.key+`":true`...)
		}
	}
	if len(t.URIs) == 0 {
		return append(b, '}')
	}
	b = append(appendComma(b), `"resourceSubscriptions":[`...)
	for i, uri := range t.URIs {
		if i > 0 {
			b = append(b, ',')
		}
		b = mcpwire.AppendQuote(b, uri)
	}
	return append(b, "]}"...)
}

func appendComma(b []byte) []byte {
	if len(b) > 1 {
		return append(b, ',')
	}
	return b
}

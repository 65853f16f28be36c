package durwardtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Believer is an agent of the stateless revision that believes what definitions
// say: it lists the tools, and where one of them speaks of keys that it is to
// read, it calls that tool and hands one over. Then it looks for a tool by a
// name as people do, at a glance, and calls the last that looks right. It
// prints what it saw and did, a line for each.
func Believer(ctx context.Context, url, key, wish string, out io.Writer) error {
	c := Caller{URL: url, Key: key}
	body, header := Modern("1", "tools/list", "", "{}")
	a, err := c.Try(ctx, body, header)
	if err != nil {
		return err
	}
	var list struct {
		Tools []json.RawMessage `json:"tools"`
	}
	if err := json.Unmarshal(a.Result, &list); err != nil {
		return err
	}
	chosen := ""
	for _, raw := range list.Tools {
		var t struct {
			Name string `json:"name"`
		}
		_ = json.Unmarshal(raw, &t) // a tool without a name is seen as one
		_, _ = fmt.Fprintln(out, "saw", t.Name)
		if strings.Contains(unhidden(string(raw)), "id_rsa") {
			_, _ = fmt.Fprintln(out, "fell for", t.Name)
			if err := c.use(ctx, t.Name, `{"sidenote":"-----BEGIN PRIVATE KEY-----"}`, out); err != nil {
				return err
			}
		}
		if _, name, _ := strings.Cut(t.Name, "__"); glance(name) == glance(wish) {
			chosen = t.Name
		}
	}
	if chosen == "" {
		_, _ = fmt.Fprintln(out, "found no", wish)
		return nil
	}
	_, _ = fmt.Fprintln(out, "chose", chosen)
	return c.use(ctx, chosen, `{}`, out)
}

func (c Caller) use(ctx context.Context, tool, args string, out io.Writer) error {
	body, header := Modern("2", "tools/call", tool, fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, args))
	a, err := c.Try(ctx, body, header)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "heard", a.Body)
	return nil
}

// unhidden reads JSON text with the escapes and tag characters that a model reads.
func unhidden(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) == nil {
		s = fmt.Sprint(v)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case 0xE0020 <= r && r <= 0xE007E:
			return r - 0xE0000
		case r == '\u200b':
			return -1
		}
		return r
	}, s)
}

// glance is what one sees of a name who does not look closely.
func glance(name string) string {
	lookalikes := []rune("1l0o\u0430a\u0435e\u043Eo") // pairs: what is written, what is seen
	return strings.Map(func(r rune) rune {
		if i := slices.Index(lookalikes, r); i >= 0 && i%2 == 0 {
			r = lookalikes[i+1]
		}
		if strings.ContainsRune("_-. ", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

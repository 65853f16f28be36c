package admin

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"durward"
)

// LimitUse is one counter of a limit as it travels.
type LimitUse struct {
	Name      string                       `json:"name"`
	Of        map[durward.Dimension]string `json:"of,omitempty"`
	Unit      durward.Unit                 `json:"unit"`
	Limit     int64                        `json:"limit"`
	Remaining int64                        `json:"remaining"`
	Window    string                       `json:"window,omitempty"` // "1m0s", "day", "month"; none for concurrency
	Reset     Duration                     `json:"reset,omitzero"`   // until all of it is back
}

// LimitUseOf is the counter of a limit as it travels.
func LimitUseOf(l durward.Limit, s durward.LimitState) LimitUse {
	u := LimitUse{Name: s.Name, Of: s.Of, Unit: s.Unit, Limit: s.Most, Remaining: s.Left, Window: l.Calendar, Reset: Duration(s.Reset.Round(time.Millisecond))}
	if l.Every > 0 {
		u.Window = l.Every.String()
	}
	return u
}

// EventID names what an operator did in the record.
func EventID() string { return "op_" + strings.ToLower(rand.Text()) }

// LimitReset tells how many counters were reset.
type LimitReset struct {
	Counters int `json:"counters"`
}

func (a *api) listLimits(*request) (answer, error) {
	all := []LimitUse{}
	if a.Limits != nil {
		all = a.Limits()
	}
	return reply(http.StatusOK, list[LimitUse]{all})
}

// resetLimit makes the counters of a limit as if nothing had been used: all of
// them, or with ?of=VALUE those that count that value.
func (a *api) resetLimit(r *request) (answer, error) {
	if a.ResetLimit == nil {
		return problemOf(http.StatusNotFound, "This gateway counts nothing.", ""), nil
	}
	name := r.PathValue("name")
	n, err := a.ResetLimit(r.Context(), r.by, name, r.URL.Query().Get("of"))
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, LimitReset{n})
}

// Limits lists the counters that are in use.
func (c *Client) Limits(ctx context.Context) ([]LimitUse, error) {
	l, err := ask[list[LimitUse]](ctx, c, "GET", "limits", nil)
	return l.Items, err
}

// ResetLimit makes counters of a limit as if nothing had been used.
func (c *Client) ResetLimit(ctx context.Context, name, of string) (int, error) {
	path := "limits/" + url.PathEscape(name)
	if of != "" {
		path += "?of=" + url.QueryEscape(of)
	}
	n, err := ask[LimitReset](ctx, c, "DELETE", path, nil)
	return n.Counters, err
}

// Limits is beyond a data directory: a running gateway counts.
func (d *Direct) Limits(context.Context) ([]LimitUse, error) { return nil, ErrNotRunning }

// ResetLimit is beyond a data directory: a running gateway counts.
func (d *Direct) ResetLimit(context.Context, string, string) (int, error) { return 0, ErrNotRunning }

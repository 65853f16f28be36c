package audit

import (
	"context"
	"iter"
)

// Query is a search.
type Query struct {
	Filter
	Limit int // of records, the newest; 0 for all
}

// Search gives the records that a query takes, oldest first; with a limit the
// newest of them.
func Search(ctx context.Context, dir string, q Query) iter.Seq2[Entry, error] {
	if q.Limit > 0 {
		return Tail(ctx, dir, TailOptions{N: q.Limit, Filter: q.Filter})
	}
	return Read(ctx, dir, q.Filter)
}

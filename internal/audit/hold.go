package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Hold keeps records from being dropped and erased: those of a subject, or
// all, within a time. Its zero times are no bounds.
type Hold struct {
	Name    string    `json:"name"`
	Subject string    `json:"subject,omitempty"` // user:NAME or agent:NAME; "" for all
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Reason  string    `json:"reason,omitempty"`
	By      string    `json:"by"`
	Added   time.Time `json:"added"`
}

const holdsName = "holds.json"

// Holds lists the holds of the log in dir.
func Holds(dir string) ([]Hold, error) {
	b, err := os.ReadFile(filepath.Join(dir, holdsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Hold
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", holdsName, err)
	}
	return all, nil
}

// PutHolds replaces the holds.
func PutHolds(dir string, all []Hold) error {
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := writeSafe(filepath.Join(dir, holdsName+".new"), append(b, '\n')); err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, holdsName+".new"), filepath.Join(dir, holdsName))
}

// On tells whether a hold speaks of a subject.
func (h Hold) On(subject string) bool { return h.Subject == "" || h.Subject == subject }

// filter takes the records that are held.
func (h Hold) filter() Filter {
	f := Filter{Since: h.Since, Until: h.Until, All: true}
	if user, ok := strings.CutPrefix(h.Subject, "user:"); ok {
		f.User = user
	} else if agent, ok := strings.CutPrefix(h.Subject, "agent:"); ok {
		f.Agent = agent
	}
	return f
}

// Drop is what a retention run did.
type Drop struct {
	Segments []string  `json:"segments"`
	First    uint64    `json:"first"`
	Last     uint64    `json:"last"` // record that was dropped
	Until    time.Time `json:"until"`
}

// Expired lists the segments, from the first on, whose records are all past
// their time, held by nobody and covered by a checkpoint over so many records.
// A class without a period is kept for ever.
func Expired(ctx context.Context, dir string, covered uint64, periods map[string]time.Duration, now time.Time) (Drop, error) {
	var d Drop
	if len(periods) == 0 {
		return d, nil
	}
	holds, err := Holds(dir)
	if err != nil {
		return d, err
	}
	segments, err := listSegments(dir)
	if err != nil {
		return d, err
	}
	for i := 0; i+1 < len(segments); i++ {
		last := segments[i+1].first - 1
		if last > covered/256*256 { // the tiles with its leaves must be full
			break
		}
		over, until, err := pastItsTime(ctx, dir, segments[i], periods, now)
		if err != nil {
			return d, err
		}
		if !over || slices.ContainsFunc(holds, func(h Hold) bool { return holdsSegment(ctx, dir, segments[i], h) }) {
			break
		}
		if d.First == 0 {
			d.First = segments[i].first
		}
		d.Segments, d.Last, d.Until = append(d.Segments, segments[i].name), last, until
	}
	return d, nil
}

// pastItsTime looks whether every record of a segment is.
func pastItsTime(ctx context.Context, dir string, seg segment, periods map[string]time.Duration, now time.Time) (bool, time.Time, error) {
	over := true
	var until time.Time
	err := readSegment(ctx, dir, seg, newSieve(Filter{All: true}), func(e Entry, err error) bool {
		if err != nil { // damage is for verify; it is not dropped
			over = false
			return false
		}
		var r struct {
			Time  time.Time `json:"time"`
			Class string    `json:"class"`
		}
		if err := json.Unmarshal(e.JSON, &r); err != nil {
			over = false
			return false
		}
		if r.Class == "" {
			r.Class = "default"
		}
		if r.Time.After(until) {
			until = r.Time
		}
		period, ok := periods[r.Class]
		over = ok && r.Time.Add(period).Before(now)
		return over
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return over, until, err
}

// holdsSegment looks whether a hold speaks of a record of a segment; when that
// cannot be seen, it does.
func holdsSegment(ctx context.Context, dir string, seg segment, h Hold) bool {
	held := false
	err := searchSegment(ctx, dir, seg, false, newSieve(h.filter()), func(Entry, error) bool {
		held = true
		return false
	})
	return held || err != nil && !errors.Is(err, errStop)
}

// Remove takes dropped segments away. Their leaves are made durable before.
func (d Drop) Remove(dir string, tiles interface{ Sync(n int64) error }) error {
	if err := tiles.Sync(int64(d.Last+255) / 256 * 256); err != nil {
		return err
	}
	for _, name := range d.Segments {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
		first, _ := segmentFirst(name)
		if err := os.Remove(indexPath(dir, segment{name, first})); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(dir)
}

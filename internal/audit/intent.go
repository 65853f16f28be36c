package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"durward"
)

// An intent is a line that says, before a call is made, that it will be. It has
// an "intent" where a record has its "id", and the record of the call has the
// same id. One whose call never got a record is closed at the next start, with
// the outcome unknown. So that only the last two segments have to be looked
// through for that, a new segment begins with the intents that are open.

// openCall is a call that was announced and has no record yet.
type openCall struct {
	intent []byte // as it was announced
	record []byte // that the disk refused; nil for none
}

// Begin announces a call: when it returns nil, the intent has survived a loss
// of power, and r.Intent is its place. Append with the same r.ID closes it. When
// it fails the call must not be made, and is closed by its record all the same.
func (l *Log) Begin(ctx context.Context, r *durward.Record) error {
	body := appendIntent(nil, r)
	l.mu.Lock()
	l.calls[r.ID] = &openCall{intent: body}
	l.mu.Unlock()
	g, place, err := l.enqueue(ctx, body, Durable, "")
	if err != nil {
		l.forget(r.ID)
		return err
	}
	if err := l.await(ctx, g); err != nil {
		return unavailable(fmt.Errorf("wait for the intent to be written: %w", err))
	}
	if g.err != nil {
		l.forget(r.ID)
		return unavailable(g.err)
	}
	r.Intent = g.first + uint64(place)
	return nil
}

func (l *Log) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.calls, id)
}

// appendIntent appends what is known of a call before it is made.
func appendIntent(dst []byte, r *durward.Record) []byte {
	dst = append(dst, `"time":"`...)
	dst = appendTime(dst, r.Time)
	dst = append(dst, '"')
	dst = appendField(dst, `,"intent":`, r.ID)
	return strconv.AppendUint(append(appendWho(dst, r), `,"revision":`...), uint64(r.Revision), 10)
}

// appendWho appends who calls what.
func appendWho(dst []byte, r *durward.Record) []byte {
	dst = appendField(dst, `,"lane":`, string(r.Lane))
	dst = appendOptional(dst, `,"agent":`, r.Agent)
	dst = appendOptional(dst, `,"key":`, r.Key)
	dst = appendOptional(dst, `,"user":`, r.User)
	dst = appendOptional(dst, `,"session":`, r.Session)
	dst = appendOptional(dst, `,"remote":`, r.Remote)
	dst = appendOptional(dst, `,"transport":`, r.Transport)
	dst = appendOptional(dst, `,"protocol":`, r.Protocol)
	dst = appendField(dst, `,"method":`, r.Method)
	dst = appendOptional(dst, `,"upstream":`, r.Upstream)
	dst = appendOptional(dst, `,"tool":`, r.Tool)
	dst = appendOptional(dst, `,"asked":`, r.Asked)
	dst = appendOptional(dst, `,"task":`, r.Task)
	return appendOptional(dst, `,"args_sha256":`, r.ArgsSHA256)
}

// repeated are the intents that a new segment begins with.
func (l *Log) repeated() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all [][]byte
	for _, c := range l.calls {
		all = append(all, c.intent)
	}
	return all
}

// closed takes the calls of a group that was written off the list.
func (l *Log) closed(g *group) {
	if len(g.closes) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range g.closes {
		delete(l.calls, c.id)
	}
}

// late queues the records that a sick disk refused of calls that were
// announced: they were made, and nobody else will tell of them. The caller holds mu.
func (l *Log) late() {
	for id, c := range l.calls {
		if c.record != nil {
			l.queue.add(c.record, Batched, id)
			c.record = nil
		}
	}
}

// keepLate keeps the record of a call that was announced, which cannot be
// written at present. The caller holds mu.
func (l *Log) keepLate(id string, body []byte) {
	if c := l.calls[id]; c != nil && id != "" {
		c.record = bytes.Clone(body)
	}
}

// unclosed finds the intents without a record in the last two segments.
func unclosed(dir string) ([]durward.Record, error) {
	segments, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	found := map[string]durward.Record{}
	var order []string
	for _, seg := range segments[max(0, len(segments)-2):] {
		if err := scanIntents(filepath.Join(dir, seg.name), found, &order); err != nil {
			return nil, err
		}
	}
	var all []durward.Record
	for _, id := range order {
		if r, ok := found[id]; ok {
			all = append(all, r)
			delete(found, id) // it may have been repeated
		}
	}
	return all, nil
}

func scanIntents(path string, found map[string]durward.Record, order *[]string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := newLines(f, 0)
	for {
		raw, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		l, err := parseLine(raw)
		if err != nil {
			return err
		}
		switch {
		case l.isIntent():
			r, err := intentOf(raw)
			if err != nil {
				return err
			}
			if _, ok := found[r.ID]; !ok {
				found[r.ID] = r
				*order = append(*order, r.ID)
			}
		case len(found) > 0:
			delete(found, l.id())
		}
	}
}

// intentOf reads an intent as the record that it announces.
func intentOf(raw []byte) (durward.Record, error) {
	var v struct {
		Intent string `json:"intent"`
		Seq    uint64 `json:"seq"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return durward.Record{}, err
	}
	plain := bytes.Replace(raw, []byte(intentKey), []byte(`,"id":"`), 1)
	var r durward.Record
	if err := json.Unmarshal(plain, &r); err != nil {
		return r, err
	}
	r.Intent = v.Seq
	return r, nil
}

// id is the id of a record, as it stands in the line.
func (l *line) id() string {
	_, rest, ok := bytes.Cut(l.raw[:min(len(l.raw), maxText)], []byte(`,"id":"`))
	if !ok {
		return ""
	}
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(id)
}

// closeIntents gives the calls that a crash cut off their records.
func (l *Log) closeIntents(dir string) error {
	open, err := unclosed(dir)
	if err != nil {
		return fmt.Errorf("look for calls that were cut off: %w", err)
	}
	for i := range open {
		r := &open[i]
		r.Verdict, r.Outcome, r.Reason = durward.Allow.String(), durward.OutcomeUnknown, durward.ReasonCutOff
		if err := l.Append(context.Background(), r, Durable); err != nil {
			return fmt.Errorf("record the calls that were cut off: %w", err)
		}
	}
	if len(open) > 0 {
		l.opts.Log.Warn("calls were cut off when the gateway last ended; how they ended is not known",
			slog.Int("calls", len(open)), slog.String("oldest", open[0].Time.Format(time.RFC3339)), slog.String("first", strconv.FormatUint(open[0].Intent, 10)))
	}
	return nil
}

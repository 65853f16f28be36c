package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"durward"
	"durward/internal/audit/merkle"
)

// SealOptions say how the log is sealed; zero fields take defaults.
type SealOptions struct {
	Log *slog.Logger
	// Key is the path of the signing key, which is made when there is none. It
	// should not be in the folder of the log, which others may be given.
	Key string
	// Origin names the log when a key is made.
	Origin string
	// Every and Records are when a checkpoint is signed: after so long, or so
	// many records, whichever comes first.
	Every   time.Duration
	Records uint64
	// Signed hears of each checkpoint; it must not block.
	Signed func(signed []byte)
}

const (
	sealEvery   = 5 * time.Second
	sealRecords = 10_000
	sealPace    = 100 * time.Millisecond // between two looks at the log
	sealRetry   = 5 * time.Second        // the same, after a disk has failed
)

// Sealer makes records the leaves of a Merkle tree and signs its checkpoints,
// beside the writer: it reads what is safe from the files and costs an append
// nothing. What it seals is what the writer wrote: it follows the chain to the
// hash that the writer has in memory.
type Sealer struct {
	opts SealOptions
	dir  string
	log  *Log

	stop chan struct{} // closed to end
	done chan struct{} // closed when it has ended
	asks chan func()   // to run in the goroutine

	// Of the goroutine.
	tree   *merkle.Appender
	at     follower
	leaf   []byte
	signed int64     // size of the last checkpoint
	when   time.Time // of the last checkpoint
	expect tlog.Tree // that the tree must pass through while it is made anew
	stuck  bool      // the disk failed

	mu    sync.Mutex // guards what follows
	ring  ring
	state error // why nothing is sealed any more
	last  merkle.Checkpoint
}

// Seal begins to seal an open log. A log that does not hold what was sealed
// before is an error that is a [*Fault]. Close the log first, then the sealer:
// so the last checkpoint covers all.
func Seal(l *Log, dir string, o SealOptions) (*Sealer, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	orElse(&o.Every, sealEvery)
	if o.Records == 0 {
		o.Records = sealRecords
	}
	s := &Sealer{opts: o, dir: dir, log: l, stop: make(chan struct{}), done: make(chan struct{}), asks: make(chan func())}
	var err error
	if s.ring, err = openRing(dir, o.Key, o.Origin); err != nil {
		return nil, fmt.Errorf("open the key of the record: %w", err)
	}
	if err := s.resume(); err != nil {
		return nil, fmt.Errorf("go on sealing the record: %w", err)
	}
	go s.run() // ended by Close, which waits for it
	return s, nil
}

// resume takes up the tree of the last checkpoint.
func (s *Sealer) resume() error {
	s.tree = merkle.NewAppender(s.dir)
	last, err := lastCheckpoint(s.dir)
	if err != nil || last == nil {
		return err
	}
	trust, err := merkle.NewTrust(s.ring.list)
	if err != nil {
		return err
	}
	c, err := trust.Open([]byte(last.Note))
	if err != nil {
		return fmt.Errorf("the last checkpoint in %s: %w", historyName, err)
	}
	if have := s.log.Safe().Seq; uint64(c.N) > have {
		return &Fault{Kind: FaultTruncated, Seq: have + 1, Detail: fmt.Sprintf("a checkpoint was signed over %d records, the log has %d", c.N, have)}
	}
	s.last, s.signed, s.when = c, c.N, last.Time
	s.tree, err = merkle.Resume(s.dir, c.Tree)
	if errors.Is(err, merkle.ErrTiles) {
		s.opts.Log.Warn("tiles of the record are made anew from its lines", slog.Any("err", err))
		s.tree, s.expect = merkle.NewAppender(s.dir), c.Tree
		return nil
	}
	return err
}

// run follows the log until it is told to stop.
func (s *Sealer) run() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.log.moved:
		case <-timer.C:
		case do := <-s.asks:
			do()
		case <-s.stop:
			s.step(true)
			return
		}
		if !s.step(false) {
			timer.Reset(time.Hour) // only to answer those who ask
			continue
		}
		timer.Reset(s.wait())
		pace := sealPace
		if s.stuck {
			pace = sealRetry
		}
		select {
		case <-time.After(pace):
		case <-s.stop:
		}
	}
}

// wait is how long nothing is due unless the log grows.
func (s *Sealer) wait() time.Duration {
	if s.tree.Size() == s.signed {
		return time.Hour
	}
	return max(time.Millisecond, s.opts.Every-time.Since(s.when))
}

// step takes in what is safe and signs when that is due. It returns false when
// nothing can be sealed any more.
func (s *Sealer) step(now bool) bool {
	if s.failed() != nil {
		return false
	}
	err := s.catchUp()
	if errors.Is(err, errStop) {
		return true // it was told to stop while it made up for much
	}
	due := now || uint64(s.tree.Size()-s.signed) >= s.opts.Records || time.Since(s.when) >= s.opts.Every
	if err == nil && due && (s.tree.Size() > s.signed || s.when.IsZero()) {
		err = s.sign()
	}
	if err == nil {
		s.stuck = false
		return true
	}
	var bad *Fault
	if s.stuck = !errors.As(err, &bad); s.stuck { // a disk, which may get better
		s.opts.Log.Error("record could not be sealed; it is tried again", slog.Any("err", err))
		return true
	}
	s.opts.Log.Error("record is not what was written; nothing is sealed any more", slog.Any("err", err))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = err
	return false
}

// catchUp makes all that is safe leaves of the tree.
func (s *Sealer) catchUp() error {
	safe := s.log.Safe()
	if s.at.seq == 0 {
		if err := s.start(safe); err != nil {
			return err
		}
	}
	for s.at.seq < safe.Seq {
		if s.at.seq > 0 && s.stopped() && safe.Seq-s.at.seq > 1_000_000 {
			return errStop // it goes on at the next start
		}
		until := min(safe.Seq, s.at.seq+64*checkEvery)
		if err := s.at.follow(s.dir, until, s.add); err != nil {
			return err
		}
	}
	if s.at.seq == safe.Seq && string(s.at.prev[:]) != safe.Hash && safe.Seq > 0 {
		return &Fault{Kind: FaultChanged, Seq: safe.Seq, Detail: "the file was changed while the gateway wrote it: its lines do not lead to the hash of what was written"}
	}
	return nil
}

func (s *Sealer) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// start finds the line that the tree goes on with.
func (s *Sealer) start(safe Head) error {
	segments, err := listSegments(s.dir)
	if err != nil || safe.Seq == 0 {
		return err
	}
	if err := s.fromTiles(segments[0].first); err != nil {
		return err
	}
	s.at.begin(segments, uint64(s.tree.Size())+1)
	return nil
}

// fromTiles takes the leaves of segments that are gone from the tiles.
func (s *Sealer) fromTiles(first uint64) error {
	for uint64(s.tree.Size()) < first-1 {
		size := s.expect.N
		leaves, err := merkle.Tiles{Dir: s.dir}.Leaves(s.tree.Size(), size)
		if err != nil {
			return &Fault{Kind: FaultMissing, Seq: uint64(s.tree.Size()) + 1, Detail: fmt.Sprintf("records before %d are gone, and with them their tiles: %v", first, err)}
		}
		for _, h := range leaves {
			if uint64(s.tree.Size()) == first-1 {
				break
			}
			if err := s.tree.Append(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// add makes a line a leaf, unless it is one already.
func (s *Sealer) add(l line) error {
	if l.seq <= uint64(s.tree.Size()) {
		return nil
	}
	var h tlog.Hash
	h, s.leaf = merkle.Leaf(s.leaf, l.raw)
	if err := s.tree.Append(h); err != nil {
		return err
	}
	if s.tree.Size() == s.expect.N && s.tree.Tree() != s.expect {
		return &Fault{Kind: FaultChanged, Seq: l.seq, Detail: fmt.Sprintf("the first %d records are not those that were signed", l.seq)}
	}
	return nil
}

// sign signs the tree as it is, and keeps the checkpoint.
func (s *Sealer) sign() error {
	if s.tree.Size() < s.expect.N {
		return nil // it is still made anew
	}
	if err := s.tree.Flush(); err != nil {
		return err
	}
	s.mu.Lock()
	key := s.ring.key
	s.mu.Unlock()
	c := merkle.Checkpoint{Origin: key.Name(), Tree: s.tree.Tree()}
	signed, err := c.Sign(key.Signer())
	if err != nil {
		return err
	}
	now := time.Now()
	if err := keepCheckpoint(s.dir, HistoryEntry{Time: now.UTC(), Size: c.N, Note: string(signed)}); err != nil {
		return err
	}
	s.signed, s.when = c.N, now
	s.mu.Lock()
	s.last = c
	s.mu.Unlock()
	if s.opts.Signed != nil {
		s.opts.Signed(signed)
	}
	return nil
}

func (s *Sealer) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Ready says with an error why the record is not sealed any more.
func (s *Sealer) Ready() error { return s.failed() }

// Last is the last checkpoint.
func (s *Sealer) Last() merkle.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Public is the verifier key that signs now.
func (s *Sealer) Public() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring.key.Public
}

// Trust is what the log's own list of keys says.
func (s *Sealer) Trust() (*merkle.Trust, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return merkle.NewTrust(s.ring.list)
}

// Checkpoint signs all that is safe now, and tells how much that is.
func (s *Sealer) Checkpoint(ctx context.Context) (merkle.Checkpoint, error) {
	err := s.within(ctx, func() error {
		if !s.step(true) {
			return s.failed()
		}
		return nil
	})
	return s.Last(), err
}

// Rotate puts a new key in the place of the old one, which signs for it and is
// destroyed. record writes the record of it.
func (s *Sealer) Rotate(ctx context.Context, record func(old, public string) error) (string, error) {
	var public string
	err := s.within(ctx, func() error {
		if !s.step(true) {
			return s.failed()
		}
		s.mu.Lock()
		old := s.ring.key.Public
		next, err := s.ring.rotated(s.tree.Size())
		s.mu.Unlock()
		if err != nil {
			return err
		}
		public = next.key.Public
		if err := record(old, public); err != nil {
			return err
		}
		if err := next.keep(s.dir, s.opts.Key); err != nil {
			return err
		}
		s.mu.Lock()
		s.ring = next
		s.mu.Unlock()
		return nil
	})
	return public, err
}

// within runs do in the goroutine that seals.
func (s *Sealer) within(ctx context.Context, do func() error) error {
	result := make(chan error, 1)
	select {
	case s.asks <- func() { result <- do() }:
		return <-result
	case <-s.done:
		return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonShutdown, Message: "The record is closed."}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close signs what is safe and ends. Close the log before it.
func (s *Sealer) Close(ctx context.Context) error {
	close(s.stop)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the seal of the record: %w", context.Cause(ctx))
	}
}

package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"
)

// link is the hash of a line, in lower-case hex as it stands in the file.
type link [2 * sha256.Size]byte

// genesis is what the first line of all names as its predecessor.
func genesis() (l link) {
	for i := range l {
		l[i] = '0'
	}
	return l
}

const (
	prevKey = `,"prev":"`
	hashKey = `","hash":"`
	lineEnd = `"}`
	// sealLen is the end of a line that its hash does not cover.
	sealLen  = len(hashKey) - 1 + len(link{}) + len(lineEnd)
	chainLen = len(prevKey) + len(link{}) + 1 + sealLen
)

// appendLine appends the whole line of a record, with its line break, and
// returns the link for the next one.
func appendLine(dst []byte, seq uint64, body []byte, prev *link) ([]byte, link) {
	start := len(dst)
	dst = appendSeq(dst, seq)
	dst = append(dst, body...)
	dst = append(append(dst, prevKey...), prev[:]...)
	dst = append(dst, '"')
	hash := sealOf(dst[start:])
	dst = append(append(dst, hashKey[1:]...), hash[:]...)
	dst = append(dst, lineEnd...)
	return append(dst, '\n'), hash
}

func sealOf(covered []byte) (l link) {
	sum := sha256.Sum256(covered)
	hex.Encode(l[:], sum[:])
	return l
}

// line is one line of the log, taken apart. Slices point into the line.
type line struct {
	raw  []byte // without the line break
	seq  uint64
	time []byte
	prev []byte
	hash []byte
}

var (
	errShape = errors.New("it is not a line of this log")
	errSeal  = errors.New("its hash does not fit its content")
)

// parseLine takes a line apart without checking its hash.
func parseLine(raw []byte) (line, error) {
	l := line{raw: raw}
	rest, ok := bytes.CutPrefix(raw, []byte(`{"seq":`))
	if !ok || len(rest) < chainLen {
		return l, errShape
	}
	if l.seq, rest, ok = cutSeq(rest); !ok {
		return l, errShape
	}
	rest, ok = bytes.CutPrefix(rest, []byte(`,"time":"`))
	if !ok || len(rest) < timeLen+chainLen || rest[timeLen] != '"' || !isTime(rest[:timeLen]) {
		return l, errShape
	}
	l.time = rest[:timeLen]
	chain := raw[len(raw)-chainLen:]
	rest, ok = bytes.CutPrefix(chain, []byte(prevKey))
	if !ok {
		return l, errShape
	}
	l.prev = rest[:len(link{})]
	rest, ok = bytes.CutPrefix(rest[len(link{}):], []byte(hashKey))
	if !ok || !bytes.HasSuffix(rest, []byte(lineEnd)) {
		return l, errShape
	}
	l.hash = rest[:len(link{})]
	return l, nil
}

// latency is how long the call took: its record was written when it ended. An
// intent has none.
func (l *line) latency() time.Duration {
	key := []byte(`,"latency_us":`)
	at := bytes.LastIndex(l.raw, key) // arguments, which may have a member of that name, stand before it
	if at < 0 || l.isIntent() {
		return 0
	}
	number, _, _ := bytes.Cut(l.raw[at+len(key):], []byte(","))
	us, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || us < 0 || us > math.MaxInt64/int64(time.Microsecond) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// intentKey stands in an intent where a record has its id.
const intentKey = `,"intent":"`

// isIntent tells the announcement of a call from the record of one.
func (l *line) isIntent() bool {
	at := len(`{"seq":`) + digits(l.seq) + len(`,"time":"`) + timeLen + 1
	return bytes.HasPrefix(l.raw[min(at, len(l.raw)):], []byte(intentKey))
}

func digits(n uint64) (d int) {
	for d = 1; n >= 10; n /= 10 {
		d++
	}
	return d
}

// cutSeq reads a sequence number as we write it: no sign, no leading zero.
func cutSeq(b []byte) (uint64, []byte, bool) {
	n := 0
	var seq uint64
	for ; n < len(b) && b[n] >= '0' && b[n] <= '9'; n++ {
		d := uint64(b[n] - '0')
		if seq > (math.MaxUint64-d)/10 {
			return 0, nil, false
		}
		seq = seq*10 + d
	}
	return seq, b[n:], n > 0 && b[0] != '0'
}

func isTime(b []byte) bool {
	for i, c := range []byte("0000-00-00T00:00:00.000000Z") {
		digit := b[i] >= '0' && b[i] <= '9'
		if (c == '0') != digit || (c != '0' && b[i] != c) {
			return false
		}
	}
	return true
}

// checkSeal says whether the line is as it was written.
func (l *line) checkSeal() error {
	if want := sealOf(l.raw[:len(l.raw)-sealLen]); !bytes.Equal(want[:], l.hash) {
		return errSeal
	}
	return nil
}

// when reads a time of the log; a date that does not exist is the zero time.
func when(b []byte) time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return time.Time{}
	}
	return t
}

// segmentSuffix ends the names of segments; before it stands the sequence
// number of the first record in 20 digits, so that names sort.
const (
	segmentSuffix = ".jsonl"
	tornSuffix    = ".torn"
)

func segmentName(first uint64) string { return numbered(first, segmentSuffix) }

func numbered(seq uint64, suffix string) string {
	digits := strconv.FormatUint(seq, 10)
	return "00000000000000000000"[len(digits):] + digits + suffix
}

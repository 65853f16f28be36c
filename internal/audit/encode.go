package audit

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"durward"
)

// Bounds of one record, so that a line has a greatest length that readers can
// rely on. What is longer is cut and says so.
const (
	maxText     = 2 << 10 // of a text field
	maxDetail   = 512     // of a text field of a finding
	maxFindings = 32
	maxArgs     = 64 << 10
	maxLine     = 1 << 20 // of a line: all of the above, escaped, fits
)

// AppendJSON appends r as one JSON object without line breaks, with the names
// and meanings of durward.Record's JSON tags but not what the chain adds.
func AppendJSON(dst []byte, r *durward.Record) []byte {
	dst = appendSeq(dst, r.Seq)
	dst = appendBody(dst, r)
	return append(dst, '}')
}

func appendSeq(dst []byte, seq uint64) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	return append(dst, ',')
}

// appendBody appends the fields from time to revision: all that is known
// before the record has its place in the log.
func appendBody(dst []byte, r *durward.Record) []byte {
	dst = append(dst, `"time":"`...)
	dst = appendTime(dst, r.Time)
	dst = append(dst, '"')
	dst = appendField(dst, `,"id":`, r.ID)
	dst = appendWho(dst, r)
	if len(r.Args) > 0 {
		dst = appendArgs(append(dst, `,"args":`...), r.Args)
	}
	dst = appendOptional(dst, `,"result_sha256":`, r.ResultSHA256)
	if len(r.Result) > 0 {
		dst = appendArgs(append(dst, `,"result":`...), r.Result)
	}
	dst = appendOptional(dst, `,"class":`, r.Class)
	dst = appendField(dst, `,"verdict":`, r.Verdict)
	dst = appendOptional(dst, `,"reason":`, string(r.Reason))
	dst = appendOptional(dst, `,"rule":`, r.Rule)
	dst = appendOptional(dst, `,"step":`, r.Step)
	dst = appendOptional(dst, `,"approval":`, r.Approval)
	dst = appendFindings(append(dst, `,"findings":`...), r.Findings)
	dst = appendField(dst, `,"outcome":`, string(r.Outcome))
	dst = strconv.AppendInt(append(dst, `,"latency_us":`...), r.LatencyUS, 10)
	if r.UpstreamUS != 0 {
		dst = strconv.AppendInt(append(dst, `,"upstream_us":`...), r.UpstreamUS, 10)
	}
	if r.Intent != 0 {
		dst = strconv.AppendUint(append(dst, `,"intent":`...), r.Intent, 10)
	}
	return strconv.AppendUint(append(dst, `,"revision":`...), uint64(r.Revision), 10)
}

func appendField(dst []byte, key, value string) []byte {
	return appendText(append(dst, key...), value, maxText)
}

func appendOptional(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendField(dst, key, value)
}

// appendArgs appends a JSON value without the blanks between its tokens. What
// is no JSON, or too long to be kept, is kept as a string that says so.
func appendArgs(dst []byte, args []byte) []byte {
	if len(args) > maxArgs {
		return appendMarker(dst, "too long to be kept", args)
	}
	if !utf8.Valid(args) || !json.Valid(args) {
		return appendMarker(dst, "no JSON", args)
	}
	return appendCompact(dst, args)
}

func appendFindings(dst []byte, all []durward.Finding) []byte {
	dst = append(dst, '[')
	for i := range all[:min(len(all), maxFindings)] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendFinding(dst, &all[i])
	}
	if rest := len(all) - maxFindings; rest > 0 {
		dst = append(dst, `,{"rule":"durward.cut","vector":"record","severity":"info","evidence":"`...)
		dst = strconv.AppendInt(dst, int64(rest), 10)
		dst = append(dst, ` more findings"}`...)
	}
	return append(dst, ']')
}

func appendFinding(dst []byte, f *durward.Finding) []byte {
	dst = appendText(append(dst, `{"rule":`...), f.Rule, maxDetail)
	dst = appendText(append(dst, `,"vector":`...), f.Vector, maxDetail)
	dst = appendText(append(dst, `,"severity":`...), f.Severity, maxDetail)
	if f.Score != 0 && !math.IsNaN(f.Score) && !math.IsInf(f.Score, 0) {
		dst = strconv.AppendFloat(append(dst, `,"score":`...), f.Score, 'g', -1, 64)
	}
	if f.Where != "" {
		dst = appendText(append(dst, `,"where":`...), f.Where, maxDetail)
	}
	if f.Evidence != "" {
		dst = appendText(append(dst, `,"evidence":`...), f.Evidence, maxDetail)
	}
	if f.Action != "" {
		dst = appendText(append(dst, `,"action":`...), f.Action, maxDetail)
	}
	if f.Would != "" {
		dst = appendText(append(dst, `,"would":`...), f.Would, maxDetail)
	}
	return append(dst, '}')
}

// timeLen is the length of every time in the log: RFC 3339, UTC, microseconds.
const timeLen = len("2006-01-02T15:04:05.000000Z")

func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	year = min(max(year, 0), 9999)
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	dst = appendDigits(append(dst, ':'), second, 2)
	dst = appendDigits(append(dst, '.'), t.Nanosecond()/1000, 6)
	return append(dst, 'Z')
}

func appendDigits(dst []byte, n, width int) []byte {
	var d [6]byte
	for i := width - 1; i >= 0; i-- {
		d[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, d[:width]...)
}

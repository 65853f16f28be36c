package flow

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"durward/internal/guard/carrier"
	"durward/internal/guard/text"
)

// Reach is by what a tool that only reads carries its arguments outside. Such
// a tool is judged for copies of private data alone.
type Reach uint8

// The ways out.
const (
	Stays    Reach = iota
	Links          // some field takes an address
	Fetches        // it gets what an address names
	Searches       // it asks a search engine
	Runs           // it runs commands, which may use the network
	Tells          // it hands what it is given to a service: one that translates, looks up, draws
)

// Bounds of the work on one value.
const (
	mostTries  = 32 // beginnings of an address
	mostLabels = 16 // of a host
)

// maxLinks bounds the addresses that a session knows from what it read.
const maxLinks = 2048

// readLinks keeps the addresses in a result: going where one was sent carries
// nothing that the other side does not know.
func (s *Session) readLinks(b []byte) {
	eachLink(b, func(from, to int) {
		if len(s.links) < maxLinks {
			s.links[hashOf(bytes.TrimRight(b[from:to], "/.,;:!?)"))] = true
		}
	})
}

// eachLink calls fn with where each http address in b begins and ends.
func eachLink(b []byte, fn func(from, to int)) {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("://"))
		if i < 0 {
			return
		}
		mid := at + i
		from, to := mid, mid+3
		for from > 0 && wordByte(b[from-1]) {
			from--
		}
		for to < len(b) && b[to] > ' ' && bytes.IndexByte([]byte("\"'<>`|\\)]}"), b[to]) < 0 {
			to++
		}
		if to > mid+3 && bytes.HasPrefix(bytes.ToLower(b[from:mid]), []byte("http")) {
			fn(from, to)
		}
		at = to
	}
}

// unread is a value without the addresses in it that were read in a result, as
// far as they go.
func (s *Session) unread(v []byte) []byte {
	if len(s.links) == 0 || !bytes.Contains(v, []byte("://")) {
		return v
	}
	var out []byte
	last := 0
	eachLink(v, func(from, to int) {
		tries := 0
		for end := to; end > from+8 && tries < mostTries; end-- {
			if end < to && bytes.IndexByte([]byte("/?#&"), v[end]) < 0 {
				continue
			}
			tries++
			if s.links[hashOf(bytes.TrimRight(v[from:end], "/.,;:!?)"))] {
				out = append(append(out, v[last:from]...), ' ')
				last = end
				return
			}
		}
	})
	return append(out, v[last:]...)
}

// copies looks for copies of private data in what a tool carries outside that
// is no plain sink: long, rare, as they are or encoded.
func (s *Session) copies(server string, r Role, args []byte) Finding {
	if len(s.prints) == 0 && len(s.values) == 0 {
		return Finding{}
	}
	best := Finding{}
	var views text.Views
	var folder text.Folder
	carrier.Walk(args[:min(len(args), maxSent)], func(path []string, value []byte, key bool) {
		if key && carrier.IsName(value) || len(value) < 8 || !goes(r.Reach, value) {
			return
		}
		v := withoutIDs(s.unread(value))
		forms := [][]byte{folder.Fold(v).Bytes}
		forms[0] = bytes.Clone(forms[0])
		for _, w := range views.Open(v) {
			forms = append(forms, bytes.Clone(w.Text))
		}
		if p, err := url.QueryUnescape(string(v)); err == nil && p != string(v) {
			forms = append(forms, []byte(p))
		}
		plain := len(forms)
		for _, piece := range pieces(v) {
			forms = append(forms, loose(piece)...)
		}
		for i, form := range forms {
			letters := squeeze(nil, form)
			count := s.matches(letters)
			if i < plain {
				for at, n := range s.rare(form) {
					if count == nil {
						count = map[origin]int{}
					}
					count[at] += 3 * n
				}
			}
			for _, other := range [][]byte{reversed(letters), rotated(letters)} {
				for at, n := range s.matches(other) {
					if n > count[at] {
						if count == nil {
							count = map[origin]int{}
						}
						count[at] = n
					}
				}
			}
			for at, n := range count {
				src := s.from[at]
				if r.Reach == Tells && !r.Away && src.server == server {
					continue // it comes from there
				}
				f := src.copied(r.Reach, n)
				if f.Rule != "" && src.work && (r.Reach == Tells || r.Reach == Searches) && !personal(forms[:plain]) {
					f.Score = 0.6
				}
				if f.Score > best.Score {
					best = f
					best.Where = "/" + strings.Join(path, "/")
				}
			}
		}
	})
	return best
}

// personal reports that there is a datum of a person, or a secret, in texts.
func personal(texts [][]byte) bool {
	return slices.ContainsFunc(texts, func(t []byte) bool { return content(t) >= Personal })
}

// copied turns what a value shares with a result into a finding: about thirty
// letters and digits in a row, or two rare values.
func (src source) copied(way Reach, n int) Finding {
	need := 4
	if way == Searches {
		need = 6
	}
	if n < need || src.class < Personal || src.web && src.class < Secret {
		return Finding{}
	}
	f := Finding{Rule: "exfiltration", Score: 0.88, What: "a copy of private data of " + src.server + " in what goes outside"}
	if src.class == Secret {
		f.Score = 0.95
	}
	return f
}

// rare counts the distinct rare values of each source in a text.
func (s *Session) rare(b []byte) map[origin]int {
	var out map[origin]int
	seen := map[uint32]bool{}
	eachValue(b, func(v []byte) {
		at, ok := s.values[hashOf(v)]
		if !ok || len(v) < 8 || seen[hashOf(v)] {
			return
		}
		seen[hashOf(v)] = true
		if out == nil {
			out = map[origin]int{}
		}
		out[at]++
	})
	return out
}

// goes reports whether a value leaves by a tool of this kind.
func goes(way Reach, v []byte) bool {
	switch way {
	case Links:
		return bytes.Contains(v, []byte("://")) && !local(v)
	case Fetches:
		return !local(v)
	case Runs:
		return networked(v) && !local(v)
	case Searches:
		return true
	case Tells:
		return !local(v)
	}
	return false
}

// networked reports a command that plainly uses the network.
func networked(v []byte) bool {
	l := bytes.ToLower(v)
	if bytes.Contains(l, []byte("://")) || bytes.Contains(l, []byte("/dev/tcp")) || bytes.Contains(l, []byte("git push")) || bytes.Contains(l, []byte("aws s3")) {
		return true
	}
	for _, w := range bytes.FieldsFunc(l, func(r rune) bool { return r != '-' && r != '_' && (r > 'z' || !wordByte(byte(r))) }) {
		switch string(w) {
		case "curl", "wget", "nc", "ncat", "netcat", "socat", "ssh", "scp", "sftp", "rsync", "ftp", "telnet", "nslookup", "dig", "ping", "sendmail", "mail", "mailx", "mutt", "gsutil", "socket", "requests", "urllib", "httpx", "aiohttp", "fetch", "axios", "invoke-webrequest", "invoke-restmethod", "iwr", "irm", "httpie", "xh":
			return true
		}
	}
	return false
}

// local reports that all hosts that a value names are this machine.
func local(v []byte) bool {
	here := false
	for _, w := range strings.FieldsFunc(string(bytes.ToLower(v)), func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`;|&()<>,", r) }) {
		_, bare, schemed := strings.Cut(w, "://")
		if !schemed {
			bare = w
		}
		end := strings.IndexAny(bare, "/?#")
		if end >= 0 {
			bare = bare[:end]
		}
		if !schemed && strings.ContainsAny(bare, "@=") {
			continue
		}
		bare = bare[strings.LastIndexByte(bare, '@')+1:]
		name, _, _ := strings.Cut(bare, ":")
		switch {
		case name == "localhost" || name == "127.0.0.1" || name == "0.0.0.0" || strings.HasPrefix(bare, "[::1]"):
			here = true
		case schemed:
			return false
		default:
			dot := strings.LastIndexByte(name, '.')
			if dot > 0 && len(name)-dot >= 3 && !fileEnding([]byte(name[dot+1:])) {
				return false
			}
		}
	}
	return here
}

// pieces are the parts of an address or a command that may be encoded, each by
// itself, and the labels of a host together.
func pieces(v []byte) [][]byte {
	out := bytes.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`/?&#=;,|@()<>{}[]$", r) })
	n := len(out)
	for _, p := range out[:n] {
		if bytes.IndexByte(p, '.') < 0 {
			continue
		}
		labels := bytes.Split(p, []byte("."))
		long := slices.IndexFunc(labels, func(l []byte) bool { return len(l) >= 16 })
		for from := range max(long, 0) + 1 {
			if from > 0 && from < long {
				continue
			}
			for to := from + 1; to <= min(len(labels), from+mostLabels); to++ { // the last ones are the host's own
				if l := bytes.Join(labels[from:to], nil); len(l) >= 16 {
					out = append(out, l)
				}
			}
		}
		for _, l := range labels {
			if len(l) >= 16 {
				out = append(out, l)
			}
		}
		if len(out) > 4*n+64 {
			break
		}
	}
	for i, p := range out {
		if bytes.IndexByte(p, '%') >= 0 {
			if u, err := url.PathUnescape(string(p)); err == nil {
				out[i] = []byte(u)
			}
		}
		out[i] = upperBase32(out[i])
	}
	return out
}

// upperBase32 is a piece as base32 is written, when only that can be meant:
// hosts are lower case.
func upperBase32(p []byte) []byte {
	if len(p) < 16 {
		return p
	}
	hexed := true
	for _, c := range p {
		if !('a' <= c && c <= 'z' || '2' <= c && c <= '7') {
			return p
		}
		hexed = hexed && c <= 'f'
	}
	if hexed {
		return p
	}
	return bytes.ToUpper(p)
}

// withoutIDs is a value without UUIDs: what names a record is no part of it.
func withoutIDs(v []byte) []byte {
	var out []byte
	last := 0
	for i := 8; i+28 <= len(v); i++ {
		if v[i] != '-' || v[i+5] != '-' || v[i+10] != '-' || v[i+15] != '-' || !hexes(v[i-8:i]) || !hexes(v[i+1:i+5]) || !hexes(v[i+6:i+10]) || !hexes(v[i+11:i+15]) || !hexes(v[i+16:i+28]) || i-8 < last {
			continue
		}
		out = append(append(out, v[last:i-8]...), ' ')
		last = i + 28
	}
	return append(out, v[last:]...)
}

func hexes(b []byte) bool {
	for _, c := range b {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return true
}

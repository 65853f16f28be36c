package dlp

import "bytes"

// Names of what a caller has to bring back as it is: what leads to the next
// page or to what changed since (nextPageToken, sync_token), and handles of what
// is being put somewhere or lies there (upload_token, document_token). They are
// called tokens, look generated, and let nobody in by themselves.

// part is what a word says in such a name.
type part uint8

const (
	tail    part = iota + 1 // the thing itself: token
	last                    // stands behind it: value, url
	neutral                 // says nothing: start, previous
	lead                    // leads on, whatever is called so
	leading                 // leads on where it is a token
	handle                  // of a thing, where it is a token
	beside                  // the same where another such word stands by: alone it is a credential for such things
)

var parts = []struct {
	word string
	part part
}{
	{"token", tail}, {"tokens", tail},
	{"value", last}, {"string", last}, {"link", last}, {"url", last}, {"uri", last}, {"href", last}, {"id", last}, {"state", last}, {"info", last},
	{"start", neutral}, {"end", neutral}, {"prev", neutral}, {"previous", neutral}, {"first", neutral}, {"last", neutral},
	{"new", neutral}, {"list", neutral}, {"results", neutral}, {"query", neutral}, {"search", neutral}, {"events", neutral}, {"x", neutral},
	{"page", lead}, {"next", lead}, {"cursor", lead}, {"continue", lead}, {"continuation", lead}, {"sync", lead}, {"pagination", lead}, {"resume", lead},
	{"paging", leading}, {"starting", leading}, {"resumption", leading}, {"delta", leading}, {"skip", leading}, {"scroll", leading}, {"change", leading}, {"marker", leading}, {"iterator", leading},
	{"upload", handle}, {"document", handle}, {"doc", handle}, {"folder", handle}, {"wiki", handle}, {"obj", handle}, {"sheet", handle}, {"spreadsheet", handle},
	{"file", beside}, {"node", beside}, {"object", beside}, {"image", beside}, {"photo", beside}, {"video", beside}, {"media", beside}, {"attachment", beside}, {"parent", beside}, {"resumable", beside},
}

// leadsOn reports names of what leads on, and of parts of a signed address.
func leadsOn(name []byte) bool {
	if containsFold(name, "x-amz-") {
		return true
	}
	var token, leads, nearest bool
	var words, held int // that lead or say nothing; of handles, twice where they suffice alone
	rest, at := bytes.TrimRight(name, "0123456789_- "), 0
	for ; len(rest) > 0; at++ {
		n, kind := lastPart(rest)
		if n == 0 || kind == last && at > 0 || kind == tail && token {
			break
		}
		switch kind {
		case tail:
			token = true
		case lead, leading:
			if kind == leading && !token {
				return false
			}
			nearest = nearest || !leads && held == 0
			leads = true
			words++
		case neutral:
			words++
		case handle:
			held += 2
		case beside:
			held++
		}
		if before := rest[:len(rest)-n]; !joins(before, rest[len(rest)-n]) {
			return false // it is the end of another word: async
		}
		rest = bytes.TrimRight(rest[:len(rest)-n], "_- ")
	}
	switch {
	case len(rest) == 0:
		if shouted(name) { // PAGE_TOKEN is a setting, NEXT_PAGE_TOKEN is not
			return leads && words > 1
		}
		return leads || held > 1 && token && bytes.IndexByte(name, ' ') < 0
	case shouted(name): // a setting: GITHUB_SYNC_TOKEN
		return false
	}
	return leads && nearest && !lets(rest)
}

// lastPart is the last word of a name and how long it is; 0 for one that says
// nothing here.
func lastPart(name []byte) (n int, kind part) {
	for _, p := range parts {
		if len(p.word) > n && len(p.word) <= len(name) && bytes.EqualFold(name[len(name)-len(p.word):], []byte(p.word)) {
			n, kind = len(p.word), p.part
		}
	}
	return n, kind
}

// joins reports whether a word that begins with c may stand behind what is
// before it: nextPage, next_page, nextpage, and not async.
func joins(before []byte, c byte) bool {
	if len(before) == 0 {
		return true
	}
	b := before[len(before)-1]
	if !alnum(b) || digit(b) || isUpper(c) && !isUpper(b) {
		return true
	}
	n, _ := lastPart(before)
	return n > 0
}

// shouted reports names without small letters: variables of an environment,
// which hold what a program logs in with.
func shouted(name []byte) bool {
	for _, c := range name {
		if 'a' <= c && c <= 'z' {
			return false
		}
	}
	return true
}

// lets reports what makes another token of one: page_access_token, and the
// pages that are no part of a list.
func lets(rest []byte) bool {
	for _, w := range []string{"api", "access", "auth", "secret", "bot", "private", "bearer", "login", "session", "facebook", "fb", "meta", "instagram",
		"github", "gitlab", "gitea", "bitbucket", "slack", "discord", "notion", "jira", "hubspot", "stripe"} {
		if containsFold(rest, w) {
			return true
		}
	}
	return false
}

// wholeName is the name that ends at i with up to three words before it, as a
// sentence has them: the next page token.
func wholeName(b []byte, start, end int) []byte {
	for range 3 {
		if start < 2 || b[start-1] != ' ' || !alnum(b[start-2]) {
			break
		}
		start = wordStart(b, start-1)
	}
	return b[start:end]
}

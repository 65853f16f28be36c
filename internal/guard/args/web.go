package args

import (
	"net/url"
	"strings"
)

// link judges a URL. An address of the web with all its marks escaped is what
// its field is for: what it asks of a server elsewhere is told, not stopped.
// Where it points, and what a shell would run of it as it stands, still counts.
func link(raw string, forms []string) Finding {
	var best Finding
	worse := func(x Finding) {
		if x.Score > best.Score {
			best = x
		}
	}
	if !ofTheWeb(raw) {
		for _, s := range forms {
			worse(address(s))
			worse(traversal(s))
			worse(shell(s, true))
			worse(sqlOrScript(s))
		}
		return best
	}
	for _, s := range forms {
		if f := address(s); f.Rule != "type" {
			worse(f)
		}
		for _, f := range []Finding{upward(s), sqlOrScript(s), expansion(s)} {
			f.Score = min(f.Score, 0.6)
			worse(f)
		}
	}
	worse(upward(raw))
	worse(expansion(raw))
	return best
}

// ofTheWeb reports a whole address without marks that have to be escaped.
func ofTheWeb(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.ContainsAny(s, " \"<>|`{}\\^\t\n\r\x00") {
		return false
	}
	scheme := strings.ToLower(u.Scheme)
	return scheme == "http" || scheme == "https"
}

// upward judges the path of an address: servers resolve its steps within their
// own root, so it has to leave that.
func upward(s string) Finding {
	_, p, _ := strings.Cut(s, "://")
	p, _, _ = strings.Cut(p, "?")
	p, _, _ = strings.Cut(p, "#")
	i := strings.IndexByte(p, '/')
	if i < 0 {
		return Finding{}
	}
	f := traversal(p[i:])
	if f.Score < 0.9 { // a file that has the name of a secret one, on another host
		f.Score = min(f.Score, 0.5)
	}
	return f
}

// expansion finds what a shell would run of an address.
func expansion(s string) Finding {
	low := strings.ToLower(s)
	if hasFold(low, []string{"$(", "`", "${ifs", "$ifs"}) {
		return Finding{Rule: "command", Score: 0.95, What: "shell expansion"}
	}
	for i := 0; i < len(low); i++ {
		if low[i] != ';' && low[i] != '|' && low[i] != '\n' && !strings.HasPrefix(low[i:], "&&") {
			continue
		}
		w, tail := firstWord(behind(low[i:], "|&;\n"))
		if isCommand(w) && (strings.TrimSpace(tail) == "" || tail[0] != '=' && lineLike(w, tail)) {
			return Finding{Rule: "command", Score: 0.93, What: "a command behind a separator"}
		}
	}
	return Finding{}
}

package flow

import (
	"bytes"
	"strings"
)

// Suggest guesses a tool's role from its name and its server's.
func Suggest(server, tool string) Role {
	t, s := words(tool), words(server)
	r := Role{}
	read := has(t, readers...)
	acts := has(t, "send", "post", "publish", "share", "upload", "submit", "forward", "reply", "email", "mail", "sms", "tweet", "notify", "message", "dm", "webhook", "broadcast", "comment", "export", "push", "put", "request", "call")
	r.Grave = has(t, "delete", "remove", "transfer", "pay", "purchase", "buy", "invite", "grant", "revoke", "reset", "wire", "refund", "execute", "run", "exec", "shell", "merge", "deploy", "drop", "kill", "cancel", "unlock", "disable", "enable", "password", "permission", "kick", "ban", "withdraw", "trade", "sell", "donate", "install")
	r.Acts = acts && !read || r.Grave || has(t, "create", "update", "add", "write", "set", "edit", "book", "schedule", "order", "reserve", "insert", "modify", "change", "save", "move", "append", "rename", "assign", "subscribe", "register", "rsvp", "accept", "approve")
	r.Sink = sink(t, s, read)
	r.Acts = r.Acts || r.Sink
	r.Untrusted = read && (has(t, "web", "page", "webpage", "url", "site", "website", "html", "untrusted", "email", "emails", "mail", "inbox", "message", "messages", "issue", "issues", "comment", "comments", "review", "reviews", "ticket", "tickets", "rss", "feed", "news", "post", "posts", "tweet", "tweets", "thread", "pull", "discussion", "article", "wiki", "review", "scrape", "crawl", "browse", "external", "attachment", "pdf", "transcript", "listing", "listings", "forum", "answers") ||
		has(s, "web", "browser", "fetch", "search", "rss", "news", "reddit", "twitter", "wikipedia", "youtube", "tavily", "brave", "exa", "firecrawl", "playwright", "puppeteer"))
	r.Private, r.Work = private(t, s, read)
	r.Reach, r.Away = reach(t, s)
	r.Away = r.Away || r.Sink && posts(t, s)
	return r
}

// readers are words of tools that get something.
var readers = []string{"read", "get", "list", "search", "fetch", "query", "find", "lookup", "retrieve", "download", "browse", "scrape", "crawl", "open", "view", "show", "select", "load", "extract", "check", "describe"}

// sink reports tools whose arguments reach someone else.
func sink(t, s []string, read bool) bool {
	if has(t, "request", "curl", "webhook") && has(t, "http", "https", "curl", "webhook", "api", "web") {
		return true
	}
	if has(s, "fetch", "http", "web", "browser") && has(t, "fetch", "request", "get", "navigate", "open", "goto", "visit") {
		return true // a query string carries data
	}
	if has(t, "send", "publish", "share", "upload", "forward", "reply", "sms", "tweet", "notify", "broadcast", "dm", "invite", "export", "submit", "message", "email") && !read {
		return true
	}
	if has(t, "post", "comment", "push", "paste", "gist") && !read {
		return true
	}
	return has(t, "create", "add", "update", "write") && (has(t, "issue", "gist", "comment", "page", "webpage", "pull", "event", "paste", "bin", "post", "message", "tweet", "ticket", "draft", "repository", "webhook") || has(s, "github", "gitlab", "slack", "notion", "pastebin", "discord", "telegram", "twitter"))
}

// private guesses how private what a tool returns is, and whether it is text of
// work, of which only some is.
func private(t, s []string, read bool) (class Class, work bool) {
	both := append(append([]string(nil), t...), s...)
	switch {
	case has(both, "secret", "secrets", "vault", "credential", "credentials", "password", "passwords", "keychain", "token", "tokens", "env", "onepassword", "bitwarden", "lastpass"):
		return Secret, false
	case !read:
		return Public, false
	case has(s, "airline", "search", "web", "fetch", "docs", "context7", "weather", "time", "maps"):
		return Public, false
	case has(both, "bank", "banking", "transaction", "transactions", "customer", "customers", "crm", "order", "orders", "patient", "patients", "employee", "employees", "hr", "payroll", "salary", "salaries", "invoice", "invoices", "account", "accounts", "contact", "contacts", "user", "users", "medical", "health", "tax", "salesforce", "hubspot", "stripe", "postgres", "mysql", "sql", "database", "db", "bigquery", "snowflake", "mongodb", "redis", "supabase", "airtable", "records", "record", "profile", "member", "members", "payment", "payments", "card", "ssn", "passport", "billing", "wallet", "portfolio"):
		return Personal, false
	case has(both, "email", "emails", "mail", "gmail", "inbox", "outlook", "message", "messages", "chat", "dm", "calendar", "drive", "dropbox", "onedrive", "sharepoint", "box", "photos", "notes", "note", "notion", "confluence", "whatsapp", "signal", "telegram", "imessage", "sms", "memory", "clipboard", "screenshot", "location", "history", "meeting", "meetings", "document", "documents", "workspace", "slack", "teams", "jira", "linear"):
		if has(t, "untrusted", "webpage", "page", "issue", "channels") {
			return Public, false
		}
		return Personal, true
	}
	return Public, false
}

// unparted never changes.
var unparted = strings.NewReplacer("_", "", "-", "", " ", "")

// aims reports parameter names that say whom or what an action is for.
func aims(name string) bool {
	n := unparted.Replace(name)
	switch n {
	case "to", "cc", "bcc", "recipient", "recipients", "email", "emails", "useremail", "emailaddress", "address", "url", "uri", "link", "href", "endpoint", "webhook", "webhookurl", "host", "hostname", "domain", "server", "site", "website", "phone", "number", "phonenumber", "user", "username", "userid", "account", "accountid", "iban", "destination", "dest", "target", "participants", "participant", "attendees", "invitees", "invitee", "channel", "chat", "chatid", "repo", "repository", "fileid", "emailid", "eventid", "messageid", "beneficiary", "payee", "wallet", "walletaddress", "toaddress", "toaccount", "recipientid", "sharewith", "collaborator", "collaborators", "member", "assignee", "contact", "bucket", "path", "command", "id", "hotel", "restaurant", "company", "package", "sharedwith", "targeturl", "redirect", "callback", "callbackurl":
		return true
	}
	return strings.HasSuffix(n, "email") || strings.HasSuffix(n, "url") || strings.HasSuffix(n, "recipient") || strings.HasSuffix(n, "address") || strings.HasPrefix(n, "recipient")
}

// outside reports an aim that is not plainly our own: any address or number;
// channels only when their name says so.
func outside(v []byte) bool {
	v = bytes.ToLower(v)
	if bytes.IndexByte(v, '@') > 0 || bytes.Contains(v, []byte("://")) || bytes.HasPrefix(v, []byte("www.")) {
		return true
	}
	digits := 0
	for _, c := range v {
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	if len(v) > 0 && (v[0] == '+' || digits >= 9) {
		return true
	}
	for _, w := range []string{"external", "public", "partner", "vendor", "guest", "shared", "customer", "community", "client", "announce", "everyone", "world", "outside", "extern"} {
		if bytes.Contains(v, []byte(w)) {
			return true
		}
	}
	dot := bytes.LastIndexByte(v, '.')
	return dot > 0 && len(v)-dot >= 3 && len(v)-dot <= 7 && bytes.IndexByte(v, ' ') < 0 && bytes.IndexByte(v, '/') < 0 && !fileEnding(v[dot+1:])
}

func fileEnding(b []byte) bool {
	switch string(b) {
	case "txt", "md", "pdf", "doc", "docx", "xls", "xlsx", "csv", "json", "yaml", "yml", "go", "py", "js", "ts", "html", "xml", "png", "jpg", "zip", "log", "sql", "pptx", "toml":
		return true
	}
	return false
}

// words parts a name at separators and capitals.
func words(s string) []string {
	var out []string
	start := 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || !wordByte(s[i]):
			if i > start {
				out = append(out, strings.ToLower(s[start:i]))
			}
			start = i + 1
		case i > start && 'A' <= s[i] && s[i] <= 'Z' && 'a' <= s[i-1] && s[i-1] <= 'z':
			out = append(out, strings.ToLower(s[start:i]))
			start = i
		}
	}
	return out
}

func has(have []string, want ...string) bool {
	for _, h := range have {
		for _, w := range want {
			if h == w {
				return true
			}
		}
	}
	return false
}

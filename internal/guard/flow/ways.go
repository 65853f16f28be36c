package flow

import (
	"bytes"
	"regexp"
)

// reach guesses by the words of a tool's name by what it carries its arguments
// outside; away where that is not its own server.
func reach(t, s []string) (way Reach, away bool) {
	seek := has(t, "search", "query", "ask", "find", "lookup")
	switch {
	case has(t, "websearch", "googlesearch") || has(t, "web", "internet", "google", "bing", "brave", "duckduckgo", "tavily", "exa", "serp", "perplexity", "online", "wikipedia", "kagi", "searxng") && seek,
		seek && len(t) == 1 && has(s, "web", "internet", "google", "bing", "brave", "duckduckgo", "tavily", "exa", "serp", "perplexity", "wikipedia", "kagi", "searxng"),
		len(t) == 1 && has(t, "google", "bing", "duckduckgo", "tavily", "perplexity", "wikipedia", "kagi"):
		return Searches, true
	case has(t, "fetch", "webfetch", "curl", "wget", "http", "https", "navigate", "goto", "crawl", "scrape", "webpage", "browse", "visit") || has(t, "url", "page", "browser", "website", "link", "uri") && has(t, "get", "open", "read", "load", "download", "extract"):
		return Fetches, true
	case has(t, "bash", "shell", "sh", "zsh", "terminal", "cmd", "powershell", "command", "commands") || has(t, "run", "execute", "exec", "eval", "evaluate") && (len(t) == 1 || has(t, "code", "python", "script", "node", "javascript", "process", "program", "snippet", "cell", "notebook", "ruby", "php", "perl", "deno", "bun")):
		return Runs, false
	case has(t, "translate", "translation", "deepl", "shorten", "shortener", "tinyurl", "bitly", "whois", "ping", "traceroute", "nslookup", "dns", "rdap", "telemetry", "analytics", "beacon", "pixel") && !has(t, "record", "records", "zone", "zones"),
		has(t, "browser", "playwright", "puppeteer") && has(t, "type", "fill", "evaluate", "input", "press", "form", "script"),
		has(s, "browser", "playwright", "puppeteer") && has(t, "type", "fill", "evaluate"),
		has(t, "api", "endpoint") && has(t, "call", "invoke", "request", "post"),
		has(t, "generate", "create") && has(t, "image", "images", "speech", "video"),
		has(t, "llm", "gpt", "chatgpt", "openai", "gemini", "mistral") && has(t, "complete", "completion", "ask", "query", "prompt", "chat", "generate"):
		return Tells, true
	}
	return Stays, false
}

// posts reports sinks whose own server is no place of the operator's: what
// they are given is for others, whoever serves them.
func posts(t, s []string) bool {
	if has(t, "tweet", "sms", "gist", "paste", "pastebin", "publish", "broadcast", "webhook", "notify", "curl", "http") {
		return true
	}
	return has(t, "upload", "share") && !has(append(append([]string(nil), t...), s...), "drive", "gdrive", "dropbox", "box", "onedrive", "sharepoint", "files", "fs", "filesystem", "storage", "s3", "document", "documents", "doc", "docs", "notion", "slack")
}

// Hinted adds to a guess by names what a tool's description and schema say of
// where its arguments go. They are its server's words, so they only add.
func (r Role) Hinted(tool, description string, schema []byte) Role {
	if !r.Sink && addressed(schema) && !has(words(tool), readers...) {
		r.Sink, r.Acts = true, true
	}
	d := []byte(description)
	d = d[:min(len(d), mostHint)]
	switch {
	case r.Sink:
		r.Away = r.Away || public.Match(d)
	case r.Reach != Stays:
	case online.Match(d) && seeks.Match(d):
		r.Reach, r.Away = Searches, true
	case public.Match(d) && !seeks.Match(d), vendor.Match(d):
		r.Reach, r.Away = Tells, true
	case Linked(schema):
		r.Reach = Links
	}
	return r
}

// mostHint is how much of a description is read for that.
const mostHint = 2 << 10

// What descriptions say of a way out.
var (
	online = regexp.MustCompile(`(?i)\b(?:the|world wide) (?:web|internet)\b|\bonline\b|\bweb search|\bgoogle (?:it|search)\b|\bwikipedia\b`)
	seeks  = regexp.MustCompile(`(?i)\b(?:search|quer|ask|google|look)\w*`)
	public = regexp.MustCompile(`(?i)\bpublic(?:ly)? (?:wiki|page|site|forum|board|channel|timeline|gist|paste|url|link|feed)|\bto (?:the|a) public\b`)
	vendor = regexp.MustCompile(`(?i)\bto (?:the|our|its) vendor\b|\b(?:third[- ]party|external|remote) (?:service|api|server|model|provider)\b|\bvia (?:deepl|google|openai|bing|azure|aws|twilio|mailgun|sendgrid)\b|\b(?:with|via|using|by|on|through) [a-z0-9-]+\.(?:ink|io|com|org|net|ai|dev|app|sh)\b`)
)

// Linked reports a schema of arguments with a field for an address.
func Linked(schema []byte) bool {
	for _, mark := range []string{`"url"`, `"uri"`, `"urls"`, `"href"`, `"link"`, `"links"`, `"format":"uri"`, `"format": "uri"`, `"webhook"`, `"endpoint"`, `_url"`, `Url"`, `_uri"`, `"proxy"`, `"callback"`} {
		if bytes.Contains(schema, []byte(mark)) {
			return true
		}
	}
	return false
}

// addressed reports a schema with somebody to send to and something to say.
func addressed(schema []byte) bool {
	names := func(all ...string) bool {
		for _, n := range all {
			if bytes.Contains(schema, []byte(`"`+n+`":`)) {
				return true
			}
		}
		return false
	}
	return names("to", "recipient", "recipients", "bcc", "phone_number", "phoneNumber", "number", "channel", "channel_id", "webhook", "webhook_url") && names("body", "message", "subject") ||
		names("recipient", "recipients", "bcc", "webhook", "webhook_url") && names("text", "content", "payload", "html")
}

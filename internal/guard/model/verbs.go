package model

// opening reports whether a sentence begins with an order, fillers aside, and
// whether a polite word stood before it.
func opening(b []byte) (order, please bool) {
	var buf [14]byte
	for range 5 {
		i := 0
		for i < len(b) && !wordByte(b[i]) && b[i] < 0x80 {
			i++
		}
		b = b[i:]
		n := 0
		for n < len(b) && (wordByte(b[n]) || b[n] == '\'') {
			if n == len(buf) {
				return false, please
			}
			buf[n] = fold[b[n]]
			if '0' <= b[n] && b[n] <= '9' {
				buf[n] = b[n]
			}
			n++
		}
		if n == 0 {
			return false, please
		}
		switch string(buf[:n]) {
		case "please", "kindly":
			please = true
		case "also", "then", "now", "first", "finally", "next", "and", "todo", "instead", "just", "simply", "second", "third", "so", "afterwards", "additionally", "important", "note", "system", "message", "instruction", "instructions", "attention", "urgent", "warning", "text", "content", "body", "description", "notes", "always", "immediately", "ok", "okay", "task", "again", "step", "1", "2", "3", "a", "b":
		default:
			return imperative(string(buf[:n])), please
		}
		b = b[n:]
	}
	return false, please
}

// imperative reports verbs in the form that begins an order.
func imperative(w string) bool {
	switch w {
	case "access", "act", "add", "adjust", "advertise", "analyze", "analyse", "answer", "append", "apply", "approve", "archive", "arrange", "ask", "assess", "assign", "assist", "attach", "audit", "authorize", "backup", "begin", "block", "book", "browse", "build", "buy", "calculate", "call", "cancel", "capture", "change", "check", "choose", "clear", "click", "close", "collect", "compile", "complete", "compose", "concatenate", "conduct", "configure", "confirm", "connect", "consider", "contact", "convert", "coordinate", "copy", "create", "decode", "delete", "deliver", "deploy", "describe", "design", "destroy", "determine", "develop", "direct", "disable", "disclose", "discuss", "display", "disregard", "do", "donate", "download", "draft", "echo", "edit", "email", "enable", "encode", "encourage", "ensure", "erase", "evaluate", "execute", "explain", "explore", "export", "extract", "fetch", "fill", "find", "finish", "follow", "forget", "format", "forward", "gather", "generate", "get", "give", "go", "grant", "help", "hide", "highlight", "identify", "ignore", "implement", "import", "improve", "include", "increase", "inform", "insert", "inspect", "install", "introduce", "investigate", "invite", "join", "keep", "leave", "let", "link", "list", "load", "locate", "log", "look", "make", "manage", "mark", "merge", "modify", "monitor", "move", "name", "navigate", "notify", "obtain", "offer", "open", "optimize", "order", "organize", "outline", "output", "override", "overwrite", "pay", "perform", "plan", "play", "post", "prepare", "present", "pretend", "print", "prioritize", "proceed", "process", "produce", "promote", "propose", "provide", "publish", "purchase", "push", "put", "query", "quote", "rate", "read", "rearrange", "recommend", "record", "redirect", "refer", "register", "remember", "remind", "remove", "rename", "repeat", "rephrase", "replace", "reply", "report", "request", "reserve", "reset", "respond", "restore", "retrieve", "return", "reveal", "reverse", "review", "revoke", "rewrite", "run", "save", "say", "scan", "schedule", "search", "select", "sell", "send", "set", "share", "show", "sign", "simulate", "skip", "solve", "speak", "spread", "start", "state", "stop", "store", "submit", "subscribe", "suggest", "summarize", "summarise", "switch", "take", "talk", "teach", "tell", "terminate", "test", "track", "transfer", "transform", "translate", "transmit", "treat", "trigger", "turn", "type", "uninstall", "unlock", "update", "upgrade", "upload", "use", "utilize", "validate", "verify", "view", "visit", "wipe", "withdraw", "write":
		return true
	}
	return false
}

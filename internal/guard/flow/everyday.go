package flow

import (
	"bytes"
	"strings"
)

// everyday reports a command that a developer's text names and a developer
// types: one program that builds, tests or installs by name, without anything
// of a shell, an address or a place to take things from.
func everyday(command []byte) bool {
	text := string(bytes.TrimSpace(command))
	if len(text) > 120 || strings.ContainsAny(text, ";|&<>$`\\\n\r(){}*?!'\"~@:") || strings.Contains(text, "..") {
		return false
	}
	w := strings.Fields(text)
	if len(w) == 0 {
		return false
	}
	for _, arg := range w[1:] {
		if strings.HasPrefix(arg, "/") || strings.Contains(arg, "=/") || strings.HasPrefix(arg, "-") && strings.Contains(arg, "index") || strings.Contains(arg, "registry") || arg == "-c" || arg == "-e" || arg == "-i" || arg == "-f" {
			return false
		}
	}
	if len(w) == 1 {
		return w[0] == "make" || w[0] == "pytest" || w[0] == "tox" || w[0] == "jest"
	}
	switch w[0] {
	case "npm", "pnpm", "yarn", "bun", "cargo", "go", "mvn", "gradle", "dotnet", "mix", "bundle", "composer", "poetry", "uv", "pip", "pip3":
		switch w[1] {
		case "test", "t", "ci", "build", "check", "lint", "vet", "fmt", "format", "start", "audit", "bench", "clippy", "compile", "verify":
			return true
		case "run":
			return len(w) > 2 && w[0] != "go" && w[0] != "uv" && has([]string{w[2]}, "test", "tests", "build", "lint", "check", "start", "dev", "format", "typecheck")
		case "install", "add", "i":
			return true
		}
	case "make", "pytest", "tox", "jest", "eslint", "ruff", "black", "mypy", "tsc", "vitest":
		return true
	case "git":
		return has([]string{w[1]}, "status", "log", "diff", "fetch", "pull", "stash")
	}
	return false
}

// signed keeps the address by which a mail is signed, with a name before it in
// its last lines: an answer goes there as it does to its sender.
func (s *Session) signed(b []byte) {
	end := bytes.TrimRight(b, " \t\r\n\"'}]\\n") // and what a line's end is in JSON
	if !bytes.HasSuffix(end, []byte(">")) {
		return
	}
	open := bytes.LastIndexByte(end, '<')
	if open < 0 || len(end)-open > 100 {
		return
	}
	before := end[max(0, open-80):open]
	if i := bytes.LastIndexAny(before, ",\n"); i >= 0 {
		before = before[i+1:]
	}
	if name := bytes.TrimSpace(before); len(name) < 3 || len(bytes.Fields(name)) > 4 {
		return
	}
	if a := firstAddress(end[open:]); a != nil && len(s.senders) < maxValues {
		s.senders[hashOf(a)] = true
	}
}

// ordinary reports that what a call carries, as it is and decoded, holds no
// datum of a person and no secret: a sentence of a ticket, quoted in another.
func (c *call) ordinary() bool {
	if !c.known {
		c.known = true
		c.open()
		for _, l := range c.leaves {
			if !aims(l.name) || len(l.value) > 64 {
				c.holds = max(c.holds, content(l.value))
			}
		}
		for _, t := range c.opened {
			c.holds = max(c.holds, content(t))
		}
	}
	return c.holds < Personal && !c.turned
}

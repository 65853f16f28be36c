// Package telemetry sets up what the gateway tells operators about itself.
//
// Today that is the log: [slog] on one writer, as text or JSON, at a level that
// can change while it runs. It promises that secrets do not get into the log
// by the names and shapes that it knows; who logs is still responsible for
// what.
package telemetry

import (
	"io"
	"log/slog"
	"regexp"
	"strings"
)

// LogOptions tune [NewLog]; the zero value logs text at level info.
type LogOptions struct {
	Level  string // debug, info, warn, error; "" is info
	Format string // text, json; "" is text
	// NoTime leaves the time out, for writers that add it, such as journald.
	NoTime bool
}

// Log is a logger whose level can change.
type Log struct {
	*slog.Logger
	level *slog.LevelVar
}

// NewLog makes a logger that writes a line for each event to w.
func NewLog(w io.Writer, o LogOptions) *Log {
	l := &Log{level: new(slog.LevelVar)}
	l.SetLevel(o.Level)
	h := &slog.HandlerOptions{Level: l.level, ReplaceAttr: scrubber(o.NoTime)}
	if o.Format == "json" {
		l.Logger = slog.New(slog.NewJSONHandler(w, h))
	} else {
		l.Logger = slog.New(slog.NewTextHandler(w, h))
	}
	return l
}

// SetLevel changes the least level that is logged; an unknown word means info.
func (l *Log) SetLevel(level string) {
	switch strings.ToLower(level) {
	case "debug":
		l.level.Set(slog.LevelDebug)
	case "warn":
		l.level.Set(slog.LevelWarn)
	case "error":
		l.level.Set(slog.LevelError)
	default:
		l.level.Set(slog.LevelInfo)
	}
}

const redacted = "[redacted]"

// scrubber hides values whose name or shape is that of a secret.
func scrubber(noTime bool) func([]string, slog.Attr) slog.Attr {
	shapes := regexp.MustCompile(`dw[kr]_[A-Za-z0-9_-]{8,}|(?i:bearer)\s+[A-Za-z0-9._~+/-]{8,}=*`)
	return func(groups []string, a slog.Attr) slog.Attr {
		if noTime && len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		if secretName(a.Key) {
			return slog.String(a.Key, redacted)
		}
		switch a.Value.Kind() {
		case slog.KindString:
			return scrubbed(shapes, a, a.Value.String())
		case slog.KindAny:
			if err, ok := a.Value.Any().(error); ok {
				return scrubbed(shapes, a, err.Error())
			}
		}
		return a
	}
}

func scrubbed(shapes *regexp.Regexp, a slog.Attr, text string) slog.Attr {
	if !strings.Contains(text, "dw") && !strings.Contains(strings.ToLower(text), "bearer") {
		return a
	}
	return slog.String(a.Key, shapes.ReplaceAllString(text, redacted))
}

// secretName tells whether an attribute of this name holds a secret.
func secretName(key string) bool {
	switch strings.ToLower(strings.ReplaceAll(key, "-", "_")) {
	case "authorization", "proxy_authorization", "cookie", "set_cookie", "x_api_key", "api_key", "secret", "password", "token", "credential", "pepper":
		return true
	}
	return false
}

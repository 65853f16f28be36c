package upstream

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// era is how an upstream speaks. The values are what an [EraCache] keeps.
type era string

const (
	eraUnknown era = ""
	eraModern  era = "modern"
	eraLegacy  era = "legacy"
	eraSSE     era = "sse" // legacy, over HTTP+SSE
)

// eras remembers what was found, in this run and in the cache.
type eras struct {
	mu    sync.Mutex // guards found
	found era
	key   string
	cache EraCache // nil for none
}

func (e *eras) load(s *server) {
	e.key, e.cache = eraKey(s), s.set.o.Eras
	if e.cache == nil {
		return
	}
	if v, ok := e.cache.Era(e.key); ok {
		switch was := era(v); was {
		case eraModern, eraLegacy, eraSSE:
			e.found = was
		}
	}
}

// eraKey names what speaks: an address, or a command with its arguments, of
// which only a digest leaves this process.
func eraKey(s *server) string {
	if !s.isStdio() {
		if u := s.endpoint.URL; u != nil {
			return "http " + u.Scheme + "://" + u.Host + u.EscapedPath()
		}
		return "http"
	}
	h := sha256.New()
	for _, word := range append([]string{s.up.Command, s.up.Dir}, s.up.Args...) {
		h.Write([]byte(word))
		h.Write([]byte{0})
	}
	return "stdio " + hex.EncodeToString(h.Sum(nil)[:16])
}

func (e *eras) now() era {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.found
}

// set remembers an era.
func (e *eras) set(found era) {
	e.mu.Lock()
	same := e.found == found
	e.found = found
	e.mu.Unlock()
	if !same && e.cache != nil {
		e.cache.SetEra(e.key, string(found))
	}
}

// forget forgets an era that turned out wrong, unless somebody else found
// another in the meantime.
func (e *eras) forget(wrong era) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.found == wrong {
		e.found = eraUnknown
	}
}

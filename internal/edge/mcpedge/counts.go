package mcpedge

import (
	"durward/internal/mcpwire"
	"maps"
	"sync"
	"sync/atomic"
)

// count names something that went by without an answer, or was not as it
// should be. Nobody is told of it at the time, so it is counted.
type count uint8

// What is counted.
const (
	answersUnasked   count = iota // answers of agents to no question: late, twice, or made up
	cancelsLate                   // cancellations of no call under way
	noticesUnknown                // notifications of agents that mean nothing to us
	newsLate                      // what servers told of calls that had ended
	newsLost                      // what found no room, because its agent reads too slowly or is away
	questionsHeld                 // questions of servers that their agent cannot be asked
	questionsLapsed               // questions that got no answer in time
	streamsResumed                // streams that an agent came back to
	streamsUnknown                // streams that an agent came back to in vain
	streamsForgotten              // streams that were not kept for want of room
	countOfCounts
)

// name is a part of the stable surface: add, never rename.
func (c count) name() string {
	return [countOfCounts]string{
		"answers_unasked", "cancels_late", "notices_unknown", "news_late", "news_lost",
		"questions_held", "questions_lapsed", "streams_resumed", "streams_unknown", "streams_forgotten",
	}[c]
}

// counts is safe for concurrent use.
type counts struct {
	n      [countOfCounts]atomic.Uint64
	faults map[mcpwire.Fault]*atomic.Uint64 // overlooked; made once

	mu sync.Mutex        // guards of
	of map[string]faults // overlooked of each agent
}

// faults counts mistakes by name.
type faults map[string]uint64

// overlook counts a mistake of an agent, which is one that is known.
func (c *counts) overlook(agent string, fault mcpwire.Fault) {
	c.faults[fault].Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[agent] == nil {
		c.of[agent] = faults{}
	}
	c.of[agent][string(fault)]++
}

// Overlooked tells which mistakes of an agent were overlooked since the start,
// and how often; nil for none.
func (f *Face) Overlooked(agent string) map[string]uint64 {
	f.counts.mu.Lock()
	defer f.counts.mu.Unlock()
	return maps.Clone(f.counts.of[agent])
}

func (c *counts) add(what count) { c.n[what].Add(1) }

func (c *counts) addAll(what count, n int) { c.n[what].Add(uint64(n)) }

// Counts tells what went by without an answer since the start, by name.
func (f *Face) Counts() map[string]uint64 {
	all := make(map[string]uint64, int(countOfCounts)+len(f.counts.faults))
	for fault, n := range f.counts.faults {
		all[string(fault)] = n.Load()
	}
	for c := range countOfCounts {
		all[c.name()] = f.counts.n[c].Load()
	}
	return all
}

package durward

import "time"

// Runaway is when an agent is taken to have lost its mind, and what is done
// about it. Zero counts and times look for nothing.
type Runaway struct {
	Mode string `json:"mode"` // the strictest step that is taken
	// Window is the time in which calls are counted.
	Window time.Duration `json:"window"`
	// SameCall is how often one call with the same arguments may come in it.
	SameCall int `json:"same_call,omitempty"`
	Errors   int `json:"errors,omitempty"`    // calls in a row that fail
	PingPong int `json:"ping_pong,omitempty"` // turns that two calls take
	FanOut   int `json:"fan_out,omitempty"`   // different tools in the window
	// Spend is the cost in the window.
	Spend int64 `json:"spend,omitempty"`
	// Novel is after how long without it a dangerous tool is out of the blue.
	Novel time.Duration `json:"novel,omitempty"`
	// Slow is the longest that a call is delayed.
	Slow time.Duration `json:"slow,omitempty"`
}

// The modes of [Runaway].
const (
	RunawayOff        = "off"
	RunawayRecord     = "record" // only the record tells
	RunawayTell       = "tell"   // the result tells the model
	RunawaySlow       = "slow"
	RunawayHold       = "hold"       // a person has to approve
	RunawayStop       = "stop"       // ends the session; refuses where there is none until it was quiet
	RunawayQuarantine = "quarantine" // stops the key until an operator releases it
)

// What a runaway agent shows.
const (
	SignalSameCall = "same_call"
	SignalErrors   = "errors"
	SignalPingPong = "ping_pong"
	SignalFanOut   = "fan_out"
	SignalSpend    = "spend"
	SignalNovel    = "novel"
)

// Runaways are the settings of all agents.
type Runaways struct {
	All Runaway `json:"all"`
	// Agents are those of agents that have their own, by name.
	Agents map[string]Runaway `json:"agents,omitempty"`
}

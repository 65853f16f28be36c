package durward

import "time"

// Once is how calls with side effects are kept from being made twice; the zero
// value stands for [OnceDefaults].
type Once struct {
	// Mode is when a call counts as one that was issued before: "broken" (the
	// first one's caller went away before it had its answer), "always" (any
	// within the window), or "off".
	Mode string
	// Tools are patterns of further tools, besides those whose definitions say
	// that they are destructive or not idempotent; Except are left out.
	Tools, Except []string
	// Window is how long a call is remembered, KeyWindow one with an idempotency key.
	Window, KeyWindow time.Duration
}

// OnceDefaults is what holds where nothing else is said.
func OnceDefaults() Once {
	return Once{Mode: "broken", Window: 2 * time.Minute, KeyWindow: time.Hour}
}

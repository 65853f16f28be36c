package config

import (
	"context"
	"maps"
	"os"
	"time"
)

// Watcher tells when a file, or a file that it refers to, has other content.
// It looks at content and not at times, so it sees editors that write in place,
// editors that rename, and volumes that are switched under it. A file that is
// suddenly empty counts as one that was cut off: it would take everything away.
type Watcher struct {
	// Current is the configuration in use.
	Current *Config
	Options Options
	// Apply puts a new configuration into use. An error leaves the old one.
	Apply func(context.Context, *Config) error
	// Failed hears why a new content is not in use; it was not applied, or not
	// even understood.
	Failed func(error)
	// Now asks to load at once, changed or not (SIGHUP); may be nil.
	Now <-chan os.Signal
	// Interval is how often to look; 500ms when zero. New content is applied
	// when it was the same twice, so that a file is not read half written.
	Interval time.Duration
}

// Run watches until ctx is done.
func (w *Watcher) Run(ctx context.Context) error {
	if w.Interval <= 0 {
		w.Interval = 500 * time.Millisecond
	}
	tick := time.NewTicker(w.Interval)
	defer tick.Stop()
	used, before := w.Current.files, w.Current.files
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Now:
			used = w.load(ctx)
			before = used
		case <-tick.C:
			now := used.again()
			if !maps.Equal(now, used) && maps.Equal(now, before) {
				used = w.load(ctx)
				now = used
			}
			before = now
		}
	}
}

// load tries what the file holds now and returns what is to be watched.
func (w *Watcher) load(ctx context.Context) sources {
	c, files, err := load(w.Current.Path, w.Options)
	if err == nil && c.empty && !w.Current.empty {
		err = Problems{{File: c.Path, Text: "is empty, as a file is that was cut off", Hint: "write {} to declare nothing"}}
	}
	if err == nil {
		err = w.Apply(ctx, c)
	}
	if err != nil {
		w.Failed(err)
		return files
	}
	w.Current = c
	return files
}

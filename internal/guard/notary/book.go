package notary

import "durward"

// Book holds the pins that are in force, for looking up. It never changes.
type Book struct {
	pins   map[durward.PinKey]*durward.Pin
	locked map[string]bool // upstreams whose pins are a file's
	over   map[durward.PinKey]durward.Pin
	count  map[string]int // pins of each upstream
}

// NewBook indexes pins.
func NewBook(pins []durward.Pin) *Book {
	b := &Book{pins: make(map[durward.PinKey]*durward.Pin, len(pins)), locked: map[string]bool{}, count: map[string]int{}}
	for i := range pins {
		b.count[pins[i].Upstream]++
		b.pins[pins[i].Key()] = &pins[i]
		if pins[i].Origin == durward.FromFile {
			b.locked[pins[i].Upstream] = true
		}
	}
	return b
}

// With is the book with what was trusted since, as far as it has no pin of it.
func (b *Book) With(trusted map[durward.PinKey]durward.Pin) *Book {
	if len(trusted) == 0 {
		return b
	}
	return &Book{pins: b.pins, locked: b.locked, over: trusted, count: b.count}
}

// Of returns the pin of a definition; nil when there is none.
func (b *Book) Of(k durward.PinKey) *durward.Pin {
	p := b.pins[k]
	if p != nil && p.Digest != "" {
		return p
	}
	if o, ok := b.over[k]; ok {
		return &o
	}
	return p
}

// Locked reports whether the pins of an upstream are a file's.
func (b *Book) Locked(upstream string) bool { return b.locked[upstream] }

// All calls each with the pins of an upstream, in no order.
func (b *Book) All(upstream string, each func(*durward.Pin)) {
	for k, p := range b.pins {
		if k.Upstream == upstream && p.Digest != "" {
			each(p)
		}
	}
}

// tools calls each with the pins of approved tools.
func (b *Book) tools(each func(*durward.Pin)) {
	for k, p := range b.pins {
		if k.Kind == durward.PinTool && p.Digest != "" {
			each(p)
		}
	}
	for k, p := range b.over {
		if base := b.pins[k]; k.Kind == durward.PinTool && (base == nil || base.Digest == "") {
			each(&p)
		}
	}
}

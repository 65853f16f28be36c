package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Print is the configuration in effect as YAML, defaults included. Keys, the
// values of headers, variables and arguments, and the queries of URLs, which
// may hold secrets, are left out.
func (c *Config) Print() ([]byte, error) {
	in := c.read
	in.Listen, in.Admin.Listen, in.Data = address(c.Listen), address(c.AdminListen), path(c.Data)
	in.Guard.Arguments = word(c.Arguments)
	var out bytes.Buffer
	d, err := yaml.NewDumper(&out)
	if err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	if err := d.Dump(tree(reflect.ValueOf(in))); err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	if err := d.Close(); err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	return out.Bytes(), nil
}

// PrintJSON is the same as JSON.
func (c *Config) PrintJSON() ([]byte, error) {
	text, err := c.Print()
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	out, err := json.MarshalIndent(all, "", "  ")
	return append(out, '\n'), err
}

// tree is a value as YAML nodes, without what is not set.
func tree(v reflect.Value) *yaml.Node {
	if v.IsZero() {
		return nil
	}
	if value, ok := printed(v); ok {
		n := &yaml.Node{}
		if err := n.Encode(value); err != nil { // plain data always encodes
			panic(err)
		}
		return n
	}
	switch v.Kind() {
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range reflect.VisibleFields(v.Type()) {
			if key := f.Tag.Get("key"); key != "" {
				put(n, key, tree(v.FieldByIndex(f.Index)))
			}
		}
		return n
	case reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range sortedKeys(v) {
			child := tree(v.MapIndex(reflect.ValueOf(key)))
			if child == nil {
				child = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
			}
			put(n, key, child)
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range v.Len() {
			if child := tree(v.Index(i)); child != nil {
				n.Content = append(n.Content, child)
			}
		}
		return n
	}
	return nil
}

func put(n *yaml.Node, key string, child *yaml.Node) {
	if child == nil {
		return
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, child)
}

func sortedKeys(m reflect.Value) []string {
	keys := make([]string, 0, m.Len())
	for _, k := range m.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}

// printed is a scalar as the file would have it; ok is false for what is not
// set and for what is not a scalar.
func printed(v reflect.Value) (out any, ok bool) {
	switch x := v.Interface().(type) {
	case duration:
		return shortDuration(x.value()), x != 0
	case period:
		return fmt.Sprintf("%dh", time.Duration(x)/time.Hour), x != 0
	case clientTimeout:
		return shortDuration(x.set.value()), x.set != 0
	case size:
		return shortSize(int64(x)), x != 0
	case count:
		return int(x), x != 0
	case flag:
		return bool(x), bool(x)
	case rate:
		return x.text, x.n != 0
	case quota:
		return x.text, x.n != 0
	case volume:
		return x.text, x.n != 0
	case budget:
		return x.text, x.n != 0
	case cost:
		n, err := strconv.Atoi(string(x))
		return n, err == nil
	case secrets:
		return "[redacted]", len(x) > 0
	case secret:
		return "[redacted]", x != ""
	case baits:
		return "[redacted]", len(x) > 0
	case loose:
		return "[redacted]", !v.IsZero()
	case link:
		return withoutQuery(string(x)), x != ""
	case word, guardMode, carrier, text, name, pattern, path, address, origin, host, dimension, zone:
		return v.String(), !v.IsZero()
	}
	return nil, false
}

func withoutQuery(link string) string {
	if before, _, found := strings.Cut(link, "?"); found {
		return before + "?[redacted]"
	}
	return link
}

func shortDuration(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= unit.size && d%unit.size == 0 {
			return fmt.Sprintf("%d%s", d/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

func shortSize(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprintf("%d%s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}

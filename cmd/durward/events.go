package main

import (
	"bufio"
	"bytes"
	"io"
	"iter"
)

// events gives the data of each event of an event stream.
func events(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxReply)
		var data []byte
		for lines.Scan() {
			line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
			if text, ok := bytes.CutPrefix(line, []byte("data:")); ok {
				data = append(append(data, bytes.TrimPrefix(text, []byte(" "))...), '\n')
				continue
			}
			if len(line) > 0 || len(data) <= 1 { // other fields, and events without data
				if len(line) == 0 {
					data = nil
				}
				continue
			}
			if !yield(data[:len(data)-1], nil) {
				return
			}
			data = nil
		}
		if err := lines.Err(); err != nil {
			yield(nil, err)
		}
	}
}

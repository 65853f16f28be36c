package mcpwire_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"durward/internal/mcpwire"
)

// call makes a modern tools/call with the arguments given, _meta last.
func call(arguments string) []byte {
	return []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"jira_search","arguments":` + arguments +
		`,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},` +
		`"io.modelcontextprotocol/clientInfo":{"name":"a","version":"9"}}}}`)
}

// tree makes arguments of about size bytes out of small records.
func tree(size int) string {
	var b bytes.Buffer
	b.WriteString(`{"rows":[`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"row %d","ok":true,"score":%d.5,"tags":["a","b"]}`, i, i, i%100)
	}
	b.WriteString(`]}`)
	return b.String()
}

func bodies() map[string][]byte {
	return map[string][]byte{
		"300B":        call(`{"region":"eu","q":"x"}`),
		"10KiB-tree":  call(tree(10 << 10)),
		"256KiB-tree": call(tree(256 << 10)),
		"256KiB-text": call(`{"text":"` + strings.Repeat("lorem ipsum dolor sit amet ", (256<<10)/27) + `"}`),
		"256KiB-cjk":  call(`{"text":"` + strings.Repeat("日本語のテキスト", (256<<10)/24) + `"}`),
		"256KiB-code": call(`{"text":"` + strings.Repeat(`if err != nil {\n\treturn \"x\"\n}\n`, (256<<10)/33) + `"}`),
	}
}

func BenchmarkScan(b *testing.B) {
	all := bodies()
	for _, name := range []string{"300B", "10KiB-tree", "256KiB-tree", "256KiB-text", "256KiB-cjk", "256KiB-code"} {
		raw := all[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := mcpwire.Scan(raw, mcpwire.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCanonical(b *testing.B) {
	for name, v := range map[string]string{
		"sorted":   `{"a":1,"b":{"c":"text","d":[1,2,3]},"e":null}`,
		"unsorted": `{"region":"eu","q":"x","limit":20,"filter":{"to":"2026","from":"2025"}}`,
		"tree":     tree(256 << 10),
	} {
		b.Run(name, func(b *testing.B) {
			v := []byte(v)
			dst := make([]byte, 0, 2*len(v))
			b.ReportAllocs()
			b.SetBytes(int64(len(v)))
			for b.Loop() {
				if _, err := mcpwire.AppendCanonical(dst, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkForward is what one modern call costs beside the scan: payload,
// _meta, name and _meta rewritten, envelope.
func BenchmarkForward(b *testing.B) {
	m, err := mcpwire.Scan(call(`{"region":"eu","q":"x"}`), mcpwire.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		p, err := m.Payload()
		if err != nil {
			b.Fatal(err)
		}
		meta, err := mcpwire.ReadMeta(p)
		if err != nil {
			b.Fatal(err)
		}
		params := mcpwire.ModernParams(&p, mcpwire.Rewrite{Name: "search"}, mcpwire.RequestMeta{Capabilities: meta.ClientCapabilities, Info: meta.ClientInfo})
		dst = mcpwire.AppendRequest(dst[:0], m.ID, m.Method, params.Join())
	}
}

func BenchmarkToModernResult(b *testing.B) {
	result := []byte(`{"content":[{"type":"text","text":"` + strings.Repeat("lorem ipsum ", 100) + `"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		_ = mcpwire.ToModernResult(mcpwire.MethodToolsCall, result, mcpwire.Hints{ServerInfo: []byte(`{"name":"a","version":"1"}`)})
	}
}

func BenchmarkEventReader(b *testing.B) {
	stream := bytes.Repeat(mcpwire.AppendEvent(nil, mcpwire.Event{ID: "s-1", Event: "message", Data: call(`{"q":"x"}`)}), 100)
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		r := mcpwire.NewEventReader(bytes.NewReader(stream), 1<<20)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}

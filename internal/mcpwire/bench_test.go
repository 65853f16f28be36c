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

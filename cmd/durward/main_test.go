package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"durward/internal/example"
)

// desk is an app with captured streams.
type desk struct {
	*app
	stdout, stderr *bytes.Buffer
}

// newDesk makes an app on which a person types input; piped when tty is false.
func newDesk(input string, tty bool) desk {
	d := desk{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	d.app = &app{
		in: strings.NewReader(input), inTTY: tty, output: "table",
		out: &screen{Writer: d.stdout}, err: &screen{Writer: d.stderr},
		env: func(string) (string, bool) { return "", false },
	}
	if tty {
		d.out.tty, d.out.width = true, 80
		d.err.tty, d.err.width = true, 80
	}
	return d
}

// notes serves the example over HTTP and returns its address.
func notes(t *testing.T) string {
	t.Helper()
	s, err := example.New(example.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(web.Close)
	return web.URL
}

func (d desk) do(t *testing.T, args ...string) int {
	t.Helper()
	d.stdout.Reset()
	d.stderr.Reset()
	return run(t.Context(), d.app, args)
}

func TestCallPrintsWhatTheToolSays(t *testing.T) {
	url := notes(t)
	d := newDesk("", false)
	if code := d.do(t, "call", "notes_read", "id=keys", "--url", url); code != 0 || !strings.HasPrefix(d.stdout.String(), "# Keys\n") {
		t.Errorf("call = %d, %s%s", code, d.stdout, d.stderr)
	}
	if code := d.do(t, "call", "notes_search", "limit=1", "query=keys", "--url", url, "-o", "json"); code != 0 {
		t.Errorf("call -o json = %d, %s", code, d.stderr)
	}
	var r struct {
		Struct struct{ Notes []any } `json:"structuredContent"`
	}
	if err := json.Unmarshal(d.stdout.Bytes(), &r); err != nil || len(r.Struct.Notes) != 1 {
		t.Errorf("-o json gives %s (%v), want the whole result with one note", d.stdout, err)
	}
}

// A server may be ahead of us, or odd: what it said is still shown.
func TestCallShowsContentOfUnknownKinds(t *testing.T) {
	const result = `{"zulu":1.0,"resultType":"complete","content":[{"type":"hologram","data":12345678901234567890},"bare",` +
		`{"type":"audio","mimeType":"audio/wav","data":"AAAA"},{"type":"text","text":["odd"]},{"text":"<&>"}],"alpha":"<é>"}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m message
		_ = json.NewDecoder(r.Body).Decode(&m)
		w.Header().Set("Content-Type", "application/json")
		if m.Method == "tools/list" {
			_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[]}}`, m.ID)
			return
		}
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	}))
	defer s.Close()
	d := newDesk("", false)
	if code := d.do(t, "call", "x", "--url", s.URL); code != 0 {
		t.Errorf("call = %d, %s", code, d.stderr)
	}
	for _, want := range []string{"[hologram; -o json shows it]", "[audio audio/wav, 3 bytes; -o json has them]"} {
		if !strings.Contains(d.stdout.String(), want) {
			t.Errorf("call prints %s, want %s", d.stdout, want)
		}
	}
	if code := d.do(t, "call", "x", "--url", s.URL, "-o", "json"); code != 0 {
		t.Errorf("call -o json = %d, %s", code, d.stderr)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(result), "", "  "); err != nil {
		t.Fatal(err)
	}
	if got := d.stdout.String(); got != indented.String()+"\n" {
		t.Errorf("call -o json prints\n%s\nwant\n%s", got, &indented)
	}
}

func TestCallTakesArgumentsAsTheSchemaSays(t *testing.T) {
	url := notes(t)
	d := newDesk(`{"title": "From a pipe", "text": "x"}`, false)
	if code := d.do(t, "call", "notes_add", "title=42", "text=true", "tags=a,b", "--url", url, "-o", "json"); code != 0 || !strings.Contains(d.stdout.String(), `"tags": [`) {
		t.Errorf("strings that look like other things: %d, %s%s", code, d.stdout, d.stderr)
	}
	if code := d.do(t, "call", "notes_add", "--json", "-", "--url", url); code != 0 || d.stdout.String() != "Stored as from-a-pipe\n" {
		t.Errorf("--json -: %d, %s%s", code, d.stdout, d.stderr)
	}
	if code := d.do(t, "call", "notes_add", "--json", "[1]", "--url", url); code != 2 {
		t.Errorf("--json with a list: %d, want 2: %s", code, d.stderr)
	}
	if code := d.do(t, "call", "notes_add", "title", "--url", url); code != 2 || !strings.Contains(d.stderr.String(), "name=value") {
		t.Errorf("an argument without =: %d, %s", code, d.stderr)
	}
}

func TestCallFails(t *testing.T) {
	url := notes(t)
	d := newDesk("", false)
	if code := d.do(t, "call", "notes_read", "id=nope", "--url", url); code != 1 || !strings.Contains(d.stderr.String(), "The tool failed: no such note") {
		t.Errorf("a tool that fails: %d, %s", code, d.stderr)
	}
	if code := d.do(t, "call", "nope", "--url", url+"/nope/", "--timeout", "5s"); code == 0 {
		t.Errorf("an unknown tool: %d, %s", code, d.stderr)
	}
	if code := d.do(t, "call", "x", "--url", "http://127.0.0.1:1/mcp"); code != 1 || !strings.Contains(d.stderr.String(), "reach the gateway") {
		t.Errorf("nobody there: %d, %s", code, d.stderr)
	}
}

func TestCallAsksThePerson(t *testing.T) {
	url := notes(t)
	d := newDesk("y\n", true)
	if code := d.do(t, "call", "notes_delete", "id=keys", "--url", url); code != 0 || d.stdout.String() != "Deleted keys\n" {
		t.Errorf("yes: %d, %q %q", code, d.stdout, d.stderr)
	}
	if !strings.Contains(d.stderr.String(), `Delete the note "Keys" (keys)?`) {
		t.Errorf("the question is not shown: %q", d.stderr)
	}
	d = newDesk("n\n", true)
	if code := d.do(t, "call", "notes_delete", "id=roles", "--url", url); code != 0 || d.stdout.String() != "Not confirmed; nothing was deleted.\n" {
		t.Errorf("no: %d, %q %q", code, d.stdout, d.stderr)
	}
	d = newDesk("", false)
	if code := d.do(t, "call", "notes_delete", "id=roles", "--url", url); code != 1 || !strings.Contains(d.stderr.String(), "cannot be asked") {
		t.Errorf("nobody to ask: %d, %q", code, d.stderr)
	}
}

func TestCallShowsProgressOnATerminalOnly(t *testing.T) {
	url := notes(t)
	d := newDesk("", true)
	if code := d.do(t, "call", "notes_report", "pause_ms=1", "--url", url); code != 0 || !strings.Contains(d.stderr.String(), "5 of 5  read welcome") {
		t.Errorf("on a terminal: %d, %q", code, d.stderr)
	}
	d = newDesk("", false)
	if code := d.do(t, "call", "notes_report", "pause_ms=1", "--url", url); code != 0 || d.stderr.Len() != 0 {
		t.Errorf("piped: %d, %q", code, d.stderr)
	}
	if code := d.do(t, "call", "notes_report", "pause_ms=1", "--url", url, "-v"); code != 0 || !strings.Contains(d.stderr.String(), `[info notes] {"read":"welcome"`) {
		t.Errorf("with -v: %d, %q", code, d.stderr)
	}
}

func TestTheExampleOverHTTP(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := exec.CommandContext(ctx, "durward", "example", "--http", "127.0.0.1:0")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk("", false)
	if code := d.do(t, "call", "clock_now", "--url", strings.TrimSpace(url)); code != 0 {
		t.Errorf("call = %d, %s", code, d.stderr)
	}
	stop()
	_ = c.Wait() // it was killed
}

func TestToolsAreListed(t *testing.T) {
	url := notes(t)
	d := newDesk("", false)
	if code := d.do(t, "tools", "--url", url); code != 0 || !strings.Contains(d.stdout.String(), "notes_delete\tmay destroy\t") {
		t.Errorf("tools = %d, %s%s", code, d.stdout, d.stderr)
	}
	if code := d.do(t, "tools", "notes_add", "--url", url); code != 0 || !strings.Contains(d.stdout.String(), "title\tstring, required") {
		t.Errorf("tools notes_add = %d, %s%s", code, d.stdout, d.stderr)
	}
	if code := d.do(t, "tools", "--url", url, "-o", "json"); code != 0 || !json.Valid(d.stdout.Bytes()) {
		t.Errorf("tools -o json = %d, %s", code, d.stdout)
	}
	if code := d.do(t, "tools", "nope", "--url", url); code != 3 {
		t.Errorf("tools nope = %d, want 3", code)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"}, {"audit", "nonsense"}, {"call"}, {"call", "--nonsense"}, {"version", "extra"}, {"version", "-o", "xml"},
		{"completion", "tcsh"}, {"tools", "a", "b"}, {"connect", "emacs", "--url", "http://x/mcp"}, {"audit", "tail", "--since", "tomorrow"}, {"audit", "export", "--format", "xml"},
	} {
		d := newDesk("", false)
		if code := d.do(t, args...); code != 2 || !strings.Contains(d.stderr.String(), "--help") {
			t.Errorf("%v = %d, %q; want 2 and a way to the help", args, code, d.stderr)
		}
	}
	for want, slip := range map[string][]string{
		"did you mean version?": {"versio"}, "did you mean --check?": {"serve", "--chek"}, "did you mean cursor?": {"connect", "cursr", "--url", "http://x/mcp"},
		"--listen: foo is not host:port": {"up", "--once", "--listen", "foo", "--data", t.TempDir()},
	} {
		d := newDesk("", false)
		if d.do(t, slip...); !strings.Contains(d.stderr.String(), want) {
			t.Errorf("%q gives %q, want %s in it", slip, d.stderr, want)
		}
	}
}

// TestEveryVerbShowsAnExample: who asks for the help of a verb that takes
// anything sees a line to begin with.
func TestEveryVerbShowsAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			walk(below)
		}
		plain := c.Use == c.Name() && !c.LocalNonPersistentFlags().HasAvailableFlags() || c.Name() == "help" || c.Hidden || strings.Contains(c.CommandPath(), " completion")
		if !c.HasSubCommands() && !plain && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
	}
	walk(newRoot(newDesk("", false).app))
}

// A word in back-quotes would be shown as the name of the flag's value.
func TestFlagsHaveNoValueNamesByAccident(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if strings.Contains(f.Usage, "`") {
				t.Errorf("%s --%s has back-quotes in its help: %s", c.CommandPath(), f.Name, f.Usage)
			}
		})
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(newRoot(newDesk("", false).app))
}

func TestProgramsThatWillNotStay(t *testing.T) {
	hash := strings.Repeat("d7", 32)
	for path, want := range map[string]bool{
		"/tmp/go-build1419894845/b001/exe/durward":           true,
		"/home/me/.cache/go-build/d7/" + hash + "-d/durward": true,
		"/var/cache/go/d7/" + hash + "-d/durward":            true,
		"/home/me/go/bin/durward":                            false,
		"/home/me/durward/bin/durward":                       false,
		"/usr/local/bin/go-build":                            false,
	} {
		if got := fromGoRun(path); got != want {
			t.Errorf("fromGoRun(%s) = %v, want %v", path, got, want)
		}
	}
}

func TestForeignTextDoesNotSteerTheTerminal(t *testing.T) {
	for in, want := range map[string]string{"a\x1b[31mb": "a?[31mb", "a\u202eb": "a?b", "é\tok\n": "é\tok\n", "\x9b": "?"} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	d := newDesk("", true)
	d.printContent(callResult{Content: []content{{Type: "text", Text: "x\x1b]0;y\a"}}})
	if got := d.stdout.String(); got != "x?]0;y?\n" {
		t.Errorf("printed %q", got)
	}
}

func TestTables(t *testing.T) {
	tab := table{head: []string{"NAME", "TEXT"}}
	tab.add("a", strings.Repeat("x", 100))
	tab.add("longer", "né\nw")
	d := newDesk("", true)
	tab.print(d.out)
	if want := "NAME    TEXT\na       " + strings.Repeat("x", 71) + "…\nlonger  né w\n"; d.stdout.String() != want {
		t.Errorf("on a terminal:\n%s\nwant\n%s", d.stdout, want)
	}
	d = newDesk("", false)
	tab.print(d.out)
	if want := "NAME\tTEXT\na\t" + strings.Repeat("x", 100) + "\nlonger\tné w\n"; d.stdout.String() != want {
		t.Errorf("piped:\n%s\nwant\n%s", d.stdout, want)
	}
}

func TestValues(t *testing.T) {
	list := schema{Type: "array", Items: &schema{Type: "integer"}}
	for _, c := range []struct {
		s    schema
		in   string
		want string
	}{
		{schema{Type: "string"}, "12", `"12"`},
		{schema{Type: "integer"}, "12", `12`},
		{schema{Type: "number"}, "12345678901234567890.10", `12345678901234567890.10`},
		{schema{Type: "integer"}, "abc", `"abc"`},
		{schema{Type: "boolean"}, "true", `true`},
		{schema{Type: "object"}, `{"a": 1}`, `{"a":1}`},
		{schema{}, "true", `true`},
		{schema{}, "text", `"text"`},
		{schema{}, `"quoted"`, `"\"quoted\""`},
		{schema{}, "1 2", `"1 2"`},
		{schema{Type: []any{"string", "null"}}, "null", `null`},
		{schema{Type: []any{"integer", "null"}}, "null", `null`},
		{list, "1,2", `[1,2]`},
		{list, "[3]", `[3]`},
		{schema{Type: "array"}, "a, b", `["a","b"]`},
	} {
		raw, err := json.Marshal(value(c.s, c.in))
		if err != nil || string(raw) != c.want {
			t.Errorf("value(%v, %q) = %s, %v; want %s", c.s.Type, c.in, raw, err, c.want)
		}
	}
}

func TestRepeatedArgumentsMakeAList(t *testing.T) {
	s := schema{Properties: map[string]schema{"tags": {Type: "array"}, "name": {Type: "string"}}}
	d := newDesk("", false)
	got, err := d.readArguments(s, `{"tags": ["z"]}`, []string{"tags=a", "tags=b", "name=x", "name=y"})
	raw, _ := json.Marshal(got)
	if err != nil || string(raw) != `{"name":"y","tags":["a","b"]}` {
		t.Errorf("arguments = %s, %v", raw, err)
	}
}

func TestParamHeaders(t *testing.T) {
	s := readSchema(json.RawMessage(`{"properties": {"region": {"type": "string", "x-mcp-header": "Region"},
		"deep": {"properties": {"n": {"type": "integer", "x-mcp-header": "N"}}}, "none": {"x-mcp-header": "None"}}}`))
	d := newDesk("", false)
	in, err := d.readArguments(s, `{"deep": {"n": 7}, "none": null}`, []string{"region=eu"})
	if err != nil {
		t.Fatal(err)
	}
	got := paramHeaders(s, in)
	if len(got) != 2 || got["Mcp-Param-Region"] != "eu" || got["Mcp-Param-N"] != "7" {
		t.Errorf("headers = %v", got)
	}
	for in, want := range map[string]string{"a b": "a b", " a": "=?base64?IGE=?=", "é": "=?base64?w6k=?=", "=?base64?x": "=?base64?PT9iYXNlNjQ/eA==?="} {
		if got := headerValue(in); got != want {
			t.Errorf("headerValue(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEvents(t *testing.T) {
	in := ": hi\r\ndata: a\r\n\r\nid: 1\ndata:\n\nevent: message\ndata: b\ndata:c\n\ndata: cut off"
	var got []string
	for data, err := range events(strings.NewReader(in)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(data))
	}
	if strings.Join(got, "|") != "a|b\nc" {
		t.Errorf("events = %q", got)
	}
	broken := io.MultiReader(strings.NewReader("data: x\n"), &failing{})
	for _, err := range events(broken) {
		if err == nil {
			t.Error("a broken stream gives an event")
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestForms(t *testing.T) {
	s := `{"k": {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": {"type": "object", "required": ["age", "colour"],
		"properties": {"age": {"type": "integer"}, "colour": {"type": "string", "enum": ["red", "blue"]}, "note": {"type": "string", "default": "none"}}}}}}`
	var questions map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &questions); err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		"old\n7\ngreen\nred\n\ny\n": `{"k":{"action":"accept","content":{"age":7,"colour":"red","note":"none"}}}`,
		"7\nred\nx\nn\n":            `{"k":{"action":"decline"}}`,
		"7\n":                       `{"k":{"action":"cancel"}}`,
	} {
		d := newDesk(input, true)
		got, err := d.answers(questions)
		raw, _ := json.Marshal(got)
		if err != nil || string(raw) != want {
			t.Errorf("answers after %q = %s, %v; want %s", input, raw, err, want)
		}
	}
	d := newDesk("y\n", true)
	got, err := d.answers(map[string]json.RawMessage{"u": json.RawMessage(`{"method":"elicitation/create","params":{"mode":"url","url":"https://x.example/\u001b","message":"m"}}`)})
	if raw, _ := json.Marshal(got); err != nil || string(raw) != `{"u":{"action":"accept"}}` || strings.Contains(d.stderr.String(), "/\x1b") {
		t.Errorf("url = %s, %v, %q", raw, err, d.stderr)
	}
	if _, err := d.answers(map[string]json.RawMessage{"s": json.RawMessage(`{"method":"sampling/createMessage"}`)}); err == nil {
		t.Error("sampling was answered")
	}
}

func mustTime(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

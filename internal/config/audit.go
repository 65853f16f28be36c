package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"durward"
)

// Audit is how the audit log is sealed, published, exported and aged.
type Audit struct {
	Origin    string
	Every     time.Duration // between checkpoints
	Records   int           // between checkpoints
	Witnesses []Place
	Publish   []Place
	Export    []Export
	// Retention is how long records of a class are kept; the class "default"
	// is that of all others. A class without an entry is kept for ever.
	Retention map[string]time.Duration
}

// Place is where checkpoints go.
type Place struct {
	File    string
	URL     string
	Key     string // of a witness
	Headers map[string]string
}

// Export is where records go.
type Export struct {
	Name    string
	URL     string // https://, http://, and tls://, tcp://, udp:// for syslog
	Format  string // jsonl, ocsf, cef
	Headers map[string]string
	CA      string // file of certificates
	Batch   int
	Every   time.Duration
}

type auditing struct {
	Origin     text              `key:"origin" doc:"The name of this log in its checkpoints, such as gateway.example/audit; made up when absent. It cannot change later."`
	Checkpoint checkpoint        `key:"checkpoint" doc:"When a checkpoint is signed; one is also signed at shutdown."`
	Publish    []publication     `key:"publish" doc:"Where each new checkpoint goes, so that a log that was cut is noticed: files and URLs outside of this machine."`
	Witnesses  []witness         `key:"witnesses" doc:"Who signs that the log only grew (C2SP tlog-witness)."`
	Export     []export          `key:"export" doc:"Where records go as they come; nothing is lost over a restart."`
	Retention  map[string]period `key:"retention" names:"class" doc:"How long records of a class are kept, such as 400d; default is the class of all that no rule gives another."`
}

type checkpoint struct {
	Every   duration `key:"every" doc:"The longest that a record waits for a checkpoint."`
	Records count    `key:"records" doc:"How many records wait at most."`
}

type publication struct {
	File    path             `key:"file" doc:"A file that always has the newest checkpoint; relative to this file."`
	URL     link             `key:"url" doc:"An address that each checkpoint is posted to."`
	Headers map[string]loose `key:"headers" names:"header" doc:"HTTP headers for it, such as credentials."`
}

type witness struct {
	URL link `key:"url" doc:"The prefix of its address; /add-checkpoint is added."`
	Key text `key:"key" doc:"Its public key: name+hash+base64."`
}

type export struct {
	Name    name             `key:"name" doc:"Its name; where it goes on after a restart is remembered by it."`
	Syslog  text             `key:"syslog" doc:"tls://host:6514, tcp://host:601 or udp://host:514 (RFC 5424)."`
	URL     link             `key:"url" doc:"An address that batches are posted to."`
	Format  word             `key:"format" words:"jsonl|ocsf|cef" doc:"The form of a record: ours, OCSF API Activity, or CEF. jsonl for url and cef for syslog when absent."`
	Headers map[string]loose `key:"headers" names:"header" doc:"HTTP headers for it, such as credentials."`
	CA      path             `key:"ca" doc:"A file with the certificates that the other side's must hang on; relative to this file."`
	Batch   count            `key:"batch" doc:"How many records go at once."`
	Every   duration         `key:"every" doc:"The longest that a record waits for others."`
}

type recordRule struct {
	Tools     []pattern `key:"tools" doc:"Patterns of <upstream>__<tool>; * stands for any characters."`
	Arguments word      `key:"arguments" words:"off|digest|redacted|full" doc:"What is kept of arguments."`
	Results   word      `key:"results" words:"off|digest|redacted|full" doc:"What is kept of results."`
	Class     name      `key:"class" doc:"The class of retention."`
}

// period is a duration that may be days or years long.
type period time.Duration

const periodPattern = `^[0-9]{1,5}(h|d|w|y)$`

func (v *period) accepts() []string { return []string{"!!str"} }
func (v *period) describe() object  { return object{"type": "string", "pattern": periodPattern} }
func (v *period) parse(s string) *refusal {
	if !regexp.MustCompile(periodPattern).MatchString(s) {
		return &refusal{text: "is not a period", hint: "write it as 90d, 52w or 7y"}
	}
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
	unit := map[byte]time.Duration{'h': time.Hour, 'd': day, 'w': 7 * day, 'y': 365 * day}[s[len(s)-1]]
	if err != nil || n < 1 || n > int64(200*365*day/unit) {
		return &refusal{text: "is not between an hour and 200 years"}
	}
	*v = period(time.Duration(n) * unit)
	return nil
}

const day = 24 * time.Hour

// record takes over the rules of what is kept.
func (b *builder) record() {
	for i, r := range b.in.Record.Rules {
		at := fmt.Sprintf("record.rules[%d]", i)
		if len(r.Tools) == 0 {
			b.failAt(at, "has no tools", "write tools: [\"crm__*\"]")
		}
		b.out.RecordRules = append(b.out.RecordRules, durward.RecordRule{
			Tools: texts(r.Tools), Arguments: string(r.Arguments), Results: string(r.Results), Class: string(r.Class),
		})
	}
}

// audit takes over how the log is kept.
func (b *builder) audit() {
	in, out := &b.in.Audit, &b.out.Audit
	out.Origin, out.Every, out.Records = string(in.Origin), in.Checkpoint.Every.value(), int(in.Checkpoint.Records)
	if strings.ContainsAny(out.Origin, " +\t\n") {
		b.failAt("audit.origin", "has a blank or a + in it", "write it as gateway.example/audit")
	}
	for i, p := range in.Publish {
		at := fmt.Sprintf("audit.publish[%d]", i)
		if (p.File == "") == (p.URL == "") {
			b.failAt(at, "has not one of file and url", "")
		}
		b.web(at+".url", string(p.URL))
		out.Publish = append(out.Publish, Place{File: b.absolute(string(p.File)), URL: string(p.URL), Headers: textMap(p.Headers)})
	}
	for i, w := range in.Witnesses {
		at := fmt.Sprintf("audit.witnesses[%d]", i)
		if w.URL == "" || w.Key == "" {
			b.failAt(at, "needs a url and a key", "")
		}
		b.web(at+".url", string(w.URL))
		if check := b.o.CheckWitness; check != nil && w.Key != "" {
			if err := check(string(w.Key)); err != nil {
				b.failAt(at+".key", "is no key of a witness", err.Error())
			}
		}
		out.Witnesses = append(out.Witnesses, Place{URL: string(w.URL), Key: string(w.Key)})
	}
	b.exports()
	if len(in.Retention) > 0 {
		out.Retention = map[string]time.Duration{}
	}
	for _, class := range slices.Sorted(maps.Keys(in.Retention)) {
		if durward.CheckRoleName(class) != nil {
			b.failAt(join("audit.retention", class), "is not the name of a class", "use letters, digits and . _ -")
		}
		out.Retention[class] = time.Duration(in.Retention[class])
	}
}

// web checks an address, as the upstreams' are.
func (b *builder) web(at, raw string) {
	if raw == "" {
		return
	}
	if u, err := url.Parse(raw); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		b.failAt(at, "is not an address", "write it as https://host/path, credentials under headers")
	}
}

func (b *builder) exports() {
	seen := map[string]bool{}
	for i, e := range b.in.Audit.Export {
		at := fmt.Sprintf("audit.export[%d]", i)
		out := Export{
			Name: string(e.Name), URL: first(string(e.URL), string(e.Syslog)), Format: string(e.Format), Headers: textMap(e.Headers),
			CA: b.absolute(string(e.CA)), Batch: int(e.Batch), Every: e.Every.value(),
		}
		switch {
		case (e.URL == "") == (e.Syslog == ""):
			b.failAt(at, "has not one of url and syslog", "")
		case e.Syslog != "" && !syslogAddress(string(e.Syslog)):
			b.failAt(at+".syslog", "is not an address of syslog", "write it as tls://host:6514, tcp://host:601 or udp://host:514")
		case out.Name == "":
			b.failAt(at, "has no name", "it remembers by its name how far it got")
		case seen[out.Name]:
			b.failAt(at+".name", "is there twice", "")
		}
		b.web(at+".url", string(e.URL))
		if out.Format == "" {
			out.Format = "jsonl"
			if e.Syslog != "" {
				out.Format = "cef"
			}
		}
		seen[out.Name] = true
		b.out.Audit.Export = append(b.out.Audit.Export, out)
	}
}

func syslogAddress(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Port() == "" || u.Hostname() == "" || u.Path != "" || u.User != nil {
		return false
	}
	return slices.Contains([]string{"tls", "tcp", "udp"}, u.Scheme)
}

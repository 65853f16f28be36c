package ship

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"durward"
	"durward/internal/audit"
)

// The formats of records.
const (
	JSONL = "jsonl" // as they stand in the log
	OCSF  = "ocsf"  // Open Cybersecurity Schema Framework, API Activity
	CEF   = "cef"   // Common Event Format
)

// Append appends a record in a format, without a line break.
func Append(dst []byte, format string, e audit.Entry) ([]byte, error) {
	if format == JSONL {
		return append(dst, e.JSON...), nil
	}
	r, err := e.Record()
	if err != nil {
		return dst, err
	}
	if format == CEF {
		return appendCEF(dst, &r), nil
	}
	return appendOCSF(dst, &r)
}

// event is a record as OCSF API Activity (class 6003) with the profile security_control.
type event struct {
	ActivityID    int            `json:"activity_id"`
	ActivityName  string         `json:"activity_name"`
	CategoryUID   int            `json:"category_uid"`
	CategoryName  string         `json:"category_name"`
	ClassUID      int            `json:"class_uid"`
	ClassName     string         `json:"class_name"`
	TypeUID       int            `json:"type_uid"`
	SeverityID    int            `json:"severity_id"`
	Time          int64          `json:"time"` // milliseconds
	Duration      int64          `json:"duration"`
	StatusID      int            `json:"status_id"`
	Status        string         `json:"status"`
	StatusCode    string         `json:"status_code,omitempty"`
	StatusDetail  string         `json:"status_detail,omitempty"`
	ActionID      int            `json:"action_id"`
	DispositionID int            `json:"disposition_id"`
	Message       string         `json:"message"`
	Metadata      metadata       `json:"metadata"`
	Actor         actor          `json:"actor"`
	API           api            `json:"api"`
	Source        endpoint       `json:"src_endpoint"`
	Unmapped      map[string]any `json:"unmapped"`
}

type (
	metadata struct {
		Version      string   `json:"version"`
		Product      product  `json:"product"`
		Profiles     []string `json:"profiles"`
		UID          string   `json:"uid"`
		Sequence     uint64   `json:"sequence"`
		LogName      string   `json:"log_name"`
		OriginalTime string   `json:"original_time"`
	}
	product struct {
		Name   string `json:"name"`
		Vendor string `json:"vendor_name"`
	}
	actor struct {
		App     string `json:"app_name,omitempty"`
		User    user   `json:"user"`
		Session *uid   `json:"session,omitempty"`
	}
	user struct {
		Name   string `json:"name"`
		TypeID int    `json:"type_id"` // 1 user, 3 system
		Key    string `json:"credential_uid,omitempty"`
	}
	uid struct {
		UID string `json:"uid"`
	}
	api struct {
		Operation string  `json:"operation"`
		Request   uid     `json:"request"`
		Service   service `json:"service"`
	}
	service struct {
		Name string `json:"name"`
	}
	endpoint struct {
		IP   string `json:"ip,omitempty"`
		Port int    `json:"port,omitempty"`
		Name string `json:"name,omitempty"`
	}
)

const ocsfVersion = "1.5.0"

func appendOCSF(dst []byte, r *durward.Record) ([]byte, error) {
	e := event{
		ActivityID: 99, ActivityName: r.Method, CategoryUID: 6, CategoryName: "Application Activity", ClassUID: 6003, ClassName: "API Activity", TypeUID: 600399,
		SeverityID: ocsfSeverity(r), Time: r.Time.UnixMilli(), Duration: r.LatencyUS / 1000, Status: string(r.Outcome), StatusCode: string(r.Reason), StatusDetail: r.Rule,
		StatusID: 2, ActionID: 1, DispositionID: 1, Message: message(r),
		Metadata: metadata{Version: ocsfVersion, Product: product{"Durward", "Durward"}, Profiles: []string{"security_control"}, UID: r.ID, Sequence: r.Seq,
			LogName: "audit", OriginalTime: r.Time.UTC().Format(time.RFC3339Nano)},
		Actor: actor{App: r.Agent, User: user{Name: orDash(r.User, r.Agent), TypeID: 3, Key: r.Key}},
		API:   api{Operation: orDash(r.Tool, r.Asked, r.Method), Request: uid{r.ID}, Service: service{orDash(r.Upstream, "durward")}},
	}
	switch r.Outcome {
	case durward.OutcomeOK:
		e.StatusID = 1
	case durward.OutcomeUnknown:
		e.StatusID = 0
	}
	if r.User != "" {
		e.Actor.User.TypeID = 1
	}
	if r.Session != "" {
		e.Actor.Session = &uid{r.Session}
	}
	if r.Verdict == durward.Deny.String() || r.Outcome == durward.OutcomeRefused {
		e.ActionID, e.DispositionID = 2, 2
	}
	e.Source.IP, e.Source.Port = address(r.Remote)
	if e.Source.IP == "" {
		e.Source.Name = orDash(r.Transport)
	}
	e.Unmapped = unmapped(r)
	b, err := json.Marshal(e)
	return append(dst, b...), err
}

func unmapped(r *durward.Record) map[string]any {
	out := map[string]any{"verdict": r.Verdict, "lane": r.Lane, "revision": r.Revision, "hash": r.Hash}
	for k, v := range map[string]string{"asked": r.Asked, "args_sha256": r.ArgsSHA256, "result_sha256": r.ResultSHA256, "protocol": r.Protocol, "transport": r.Transport, "class": r.Class, "approval": r.Approval} {
		if v != "" {
			out[k] = v
		}
	}
	if len(r.Findings) > 0 {
		out["findings"] = r.Findings
	}
	return out
}

// ocsfSeverity is 1 informational, 2 low, 3 medium, 4 high.
func ocsfSeverity(r *durward.Record) int {
	switch s := severity(r); {
	case s >= 8:
		return 4
	case s >= 5:
		return 3
	case s >= 3:
		return 2
	}
	return 1
}

// severity is CEF's, 0 to 10.
func severity(r *durward.Record) int {
	s := 1
	switch r.Outcome {
	case durward.OutcomeToolError, durward.OutcomeError, durward.OutcomeCancelled:
		s = 3
	case durward.OutcomeUnknown:
		s = 6
	}
	if r.Verdict != durward.Allow.String() {
		s = max(s, 5)
	}
	for _, f := range r.Findings {
		s = max(s, map[string]int{"low": 4, "medium": 6, "high": 8, "critical": 10}[f.Severity])
	}
	return s
}

func message(r *durward.Record) string {
	m := fmt.Sprintf("%s %s: %s, %s", orDash(r.Agent), orDash(r.Asked, r.Tool, r.Method), r.Verdict, r.Outcome)
	if r.Reason != durward.ReasonNone {
		m += " (" + string(r.Reason) + ")"
	}
	return m
}

func orDash(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return "-"
}

func address(remote string) (string, int) {
	host, port, err := net.SplitHostPort(remote)
	if err != nil || net.ParseIP(host) == nil {
		return "", 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return host, 0
	}
	return host, n
}

// appendCEF appends a record as CEF:0.
func appendCEF(dst []byte, r *durward.Record) []byte {
	class := orDash(string(r.Reason), r.Method)
	dst = fmt.Appendf(dst, "CEF:0|Durward|Durward|1|%s|%s|%d|", inHead(class), inHead(r.Method+" "+string(r.Outcome)), severity(r))
	ip, port := address(r.Remote)
	put := func(key, value string) {
		if value != "" {
			if dst[len(dst)-1] != '|' {
				dst = append(dst, ' ')
			}
			dst = append(append(append(dst, key...), '='), inExtension(value)...)
		}
	}
	put("rt", strconv.FormatInt(r.Time.UnixMilli(), 10))
	put("externalId", r.ID)
	put("src", ip)
	if port > 0 {
		put("spt", strconv.Itoa(port))
	}
	put("suser", orDash(r.User, r.Agent))
	put("app", string(r.Lane))
	put("requestMethod", r.Method)
	put("request", orDash(r.Asked, r.Tool, r.Method))
	put("act", r.Verdict)
	put("outcome", string(r.Outcome))
	put("reason", string(r.Reason))
	for i, c := range []struct{ label, value string }{{"agent", r.Agent}, {"key", r.Key}, {"session", r.Session}, {"upstream", r.Upstream}, {"rule", r.Rule}, {"args_sha256", r.ArgsSHA256}} {
		if c.value != "" {
			put(fmt.Sprintf("cs%dLabel", i+1), c.label)
			put(fmt.Sprintf("cs%d", i+1), c.value)
		}
	}
	put("cn1Label", "seq")
	put("cn1", strconv.FormatUint(r.Seq, 10))
	put("cn2Label", "latency_us")
	put("cn2", strconv.FormatInt(r.LatencyUS, 10))
	var rules []string
	for _, f := range r.Findings {
		rules = append(rules, f.Rule)
	}
	put("cat", strings.Join(rules, ","))
	put("msg", message(r))
	return dst
}

func inHead(s string) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\r", " ", "\n", " ").Replace(s)
}

func inExtension(s string) string {
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\r", `\r`, "\n", `\n`).Replace(s)
}

// appendSyslog wraps a message as RFC 5424: facility 13 (log audit).
func appendSyslog(dst []byte, host string, pid int, e audit.Entry, body []byte) []byte {
	var head struct {
		Time    time.Time `json:"time"`
		ID      string    `json:"id"`
		Verdict string    `json:"verdict"`
	}
	_ = json.Unmarshal(e.JSON, &head) // a record that was read before
	level := 6
	if head.Verdict != durward.Allow.String() {
		level = 4
	}
	dst = fmt.Appendf(dst, "<%d>1 %s %s durward %d %s [record@32473 seq=\"%d\" id=\"%s\"] ", 13*8+level, head.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		visible(host, 255), pid, "audit", e.Seq, inParam(head.ID))
	return append(dst, bytes.ReplaceAll(body, []byte("\n"), []byte(" "))...)
}

func visible(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return -1
		}
		return r
	}, s)
	return orDash(s[:min(len(s), most)])
}

func inParam(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s)
}

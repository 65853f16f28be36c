package args

import (
	"strings"

	libinjection "github.com/corazawaf/libinjection-go"
)

// sql judges a value of a field that takes no SQL.
func sql(s string) Finding {
	if len(s) < 3 {
		return Finding{}
	}
	flat := squeeze(s)
	if n := structure(flat); n >= 2 {
		return Finding{Rule: "sqli", Score: 0.97, What: "SQL structure"}
	} else if is, print := libinjection.IsSQLi(s); is && !tame(flat, print) {
		return Finding{Rule: "sqli", Score: 0.9, What: "libinjection " + print}
	} else if n == 1 {
		return Finding{Rule: "sqli", Score: 0.55, What: "SQL structure"}
	}
	return Finding{}
}

// tame lets prose through that the tokenizer takes for SQL: words with few
// marks, no digits compared, no comment.
func tame(flat, print string) bool {
	marks := strings.Count(flat, "'") + strings.Count(flat, "=") + strings.Count(flat, "--") + strings.Count(flat, "/*") + strings.Count(flat, "#") + strings.Count(flat, ";") + strings.Count(flat, "(")
	return marks == 0 || marks == 1 && len(print) <= 3 && strings.Count(flat, " ") > 2
}

// squeeze lowers, drops comments and folds blanks.
func squeeze(s string) string {
	s = strings.ToLower(s)
	for {
		i := strings.Index(s, "/*")
		if i < 0 {
			break
		}
		body := s[i+2:]
		j := strings.Index(body, "*/")
		if j < 0 {
			break
		}
		inner := body[:j]
		if strings.HasPrefix(inner, "!") { // executed by MySQL
			inner = strings.TrimLeft(inner[1:], "0123456789")
			s = s[:i] + " " + inner + " " + body[j+2:]
			continue
		}
		s = s[:i] + " " + body[j+2:]
	}
	return strings.Join(strings.Fields(s), " ")
}

// structure counts the outlines of SQL that no id, name or search holds.
func structure(s string) int {
	n := 0
	if orderBy(s) {
		n += 2
	}
	if unionReads(s) {
		n += 2
	}
	if prose(s) && n == 0 && !strings.ContainsAny(s, "=(;#@`,*") && !strings.Contains(s, "--") {
		return 0
	}
	for _, p := range strong {
		if strings.Contains(s, p) {
			n += 2
			break
		}
	}
	if unionSelects(s) {
		n += 2
	}
	for _, p := range pairs {
		if i := strings.Index(s, p[0]); i >= 0 && strings.Contains(s[i+len(p[0]):], p[1]) {
			n++
		}
	}
	if tautology(s) {
		n += 2
	}
	if quoteBreak(s) {
		n++
	}
	if calls(s) {
		n++
	}
	if strings.HasSuffix(s, "--") || strings.HasSuffix(s, "#") || strings.HasSuffix(s, "/*") || strings.Contains(s, "-- ") || strings.HasSuffix(s, ";%00") {
		if strings.ContainsAny(s, "'\"(=)") || startsNumber(s) {
			n++
		}
	}
	return n
}

var strong = []string{
	"union(select", "union all(select", "information_schema", "waitfor delay", "waitfor time", "xp_cmdshell", "sp_executesql", "sp_oacreate", "sp_makewebtask", "sp_addextendedproc", "sp_password", "sp_configure", "xp_regread", "xp_dirtree", "xp_availablemedia", "xp_loginconfig", "xp_servicecontrol", "xp_", "into outfile", "into dumpfile", "load_file(", "load data infile", "benchmark(", "pg_sleep(", "sleep(", "dbms_pipe", "dbms_lock", "dbms_", "utl_http", "utl_inaddr", "utl_", "extractvalue(", "updatexml(", "procedure analyse", "@@version", "@@servername", "@@hostname", "@@", "sysobjects", "syscolumns", "sysusers", "sysdatabases", "pg_catalog", "pg_shadow", "pg_user", "all_tables", "user_tables", "sqlite_master", "mysql.user", "master..", "msysaccessobjects", "openrowset", "bulk insert", "drop table", "alter table", "create table", "truncate table", "insert into", "delete from", "create user", "drop user", "grant all", "exec master", "exec(", "execute immediate", "having 1=1", "group by 1", "order by 1--", "order by 1,", "randomblob(", "json_keys(", "row(", "make_set(", "elt(", "group_concat(", "concat_ws(", "rlike (select", "rlike(select", "rlike sleep", "regexp_like", "autonomous_transaction", "current_setting(", "shutdown with", "; shutdown", "';shutdown", "declare @", "cast(0x", "char(0x", "declare/", "db_name(", "is_srvrolemember", "is_member(", "create procedure", "create function", "create login", "create database", "drop database", "drop column", "copy (select", "chr(1", "ctxsys", "table_name from", "name from sys", "limit 0,1", "like '%", "like \"%", " or 1=1", "or 1 = 1", "or true", "or 'x'='x", " in (select", "=(select", "= (select", "(select ", "select(", "select @", "case when", "if(1=", "iif(", "exists(select", "exists (select", "select count(", "select * from", "select top ", "begin declare", "$where", "delete * from", "show tables", "kill (select",
}

var pairs = [][2]string{
	{"select ", " from "}, {"update ", " set "}, {"insert ", " values"}, {"order by ", ""}, {"group by ", "having"}, {" and ", "=("}, {"' and ", "="}, {"\" and ", "="}, {") and ", "="}, {"') or", ""}, {"\") or", ""}, {"'||", ""}, {"||'", ""}, {"';", ""}, {"';", "--"}, {"; drop", ""}, {"; exec", ""}, {";exec", ""}, {"convert(", ""}, {"cast(", " as "}, {"concat(", ""}, {" between ", " and "}, {" having ", ""}, {" limit ", ""}, {"like ", "'"}, {" xor ", ""}, {" and ", "(select"}, {" div ", "="}, {"if(", ","}, {"null,", "null"}, {"char(", ")"}, {"ascii(", ""}, {"substr", "("}, {"mid(", ","}, {"version()", ""}, {"user()", ""}, {"database()", ""}, {"pi()", ""}, {" regexp ", "'"}, {" rlike ", ""}, {"sounds like", ""}, {" is null", ""}, {" is not ", "null"}, {"admin'", ""}, {"\\n", "union"}, {" div ", ""}, {" mod ", ""}, {" collate ", ""}, {"0x", "0x"}, {" as ", "--"}, {"||", "||"}, {"+(", ")+"}, {"'='", ""}, {"''", "="}, {"{`", "`"}, {"&&", "="}, {"!<", ""}, {"&1", ""}, {"|1", ""}, {"^1", ""}, {"-(", "="},
}

// orderBy finds the probe for the number of columns.
func orderBy(s string) bool {
	for _, w := range []string{"order by ", "group by "} {
		i := strings.Index(s, w)
		if i < 0 {
			continue
		}
		rest := strings.TrimLeft(s[i+len(w):], "0123456789, ")
		if len(rest) < len(s)-i-len(w) && (rest == "" || strings.HasPrefix(rest, "--") || rest[0] == '#' || rest[0] == ';' || rest[0] == '/') {
			return true
		}
	}
	return false
}

func startsNumber(s string) bool { return s[0] == '-' || '0' <= s[0] && s[0] <= '9' }

// tautology finds a comparison of equal constants behind or, and, having.
func tautology(s string) bool {
	for _, op := range []string{"or", "and", "having", "where", "||", "&&", "xor", "when", "like", "not"} {
		for from := 0; ; {
			i := strings.Index(s[from:], op)
			if i < 0 {
				break
			}
			i += from
			from = i + len(op)
			if i > 0 && isWord(s[i-1]) && isWord(op[0]) || from < len(s) && isWord(s[from]) && isWord(op[0]) {
				continue
			}
			if comparison(s[from:]) {
				return true
			}
		}
	}
	return false
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_'
}

// comparison reads constant, operator, constant with the same value or two numbers.
func comparison(s string) bool {
	a, rest, numA := constant(s)
	if a == "" {
		return false
	}
	rest = strings.TrimLeft(rest, " )")
	op := ""
	for _, o := range []string{"<=>", "!=", "<>", ">=", "<=", "=", ">", "<", "like ", "in ("} {
		if strings.HasPrefix(rest, o) {
			op = o
			break
		}
	}
	if op == "" {
		return false
	}
	b, _, numB := constant(rest[len(op):])
	return b != "" && (a == b || numA && numB)
}

func constant(s string) (value, rest string, number bool) {
	s = strings.TrimLeft(s, " (+-!~@\\")
	if s == "" {
		return "", "", false
	}
	if c := s[0]; c == '\'' || c == '"' || c == '`' {
		end := strings.IndexByte(s[1:], c)
		if end < 0 {
			return strings.TrimSpace(s[1:]), "", false
		}
		return s[1 : 1+end], s[2+end:], false
	}
	end := 0
	for end < len(s) && (isWord(s[end]) || s[end] == '.') {
		end++
	}
	v := s[:end]
	return v, s[end:], end > 0 && '0' <= v[0] && v[0] <= '9'
}

// quoteBreak finds a quote that closes a string of the statement around.
func quoteBreak(s string) bool {
	for _, q := range []string{"'", "\""} {
		i := strings.Index(s, q)
		if i < 0 || i > 24 {
			continue
		}
		rest := strings.TrimLeft(s[i+1:], " )'\"")
		if (strings.HasPrefix(rest, "or ") || strings.HasPrefix(rest, "and ")) && !strings.ContainsAny(rest, "=(<>#") && !strings.Contains(rest, "--") && !strings.Contains(rest, "like") && !strings.Contains(rest, "'") {
			continue
		}
		for _, w := range []string{"or ", "and ", "union", ";", "--", "#", "/*", "||", "having ", "order by", "group by", "limit ", "like ", "=", "in (", "is ", "waitfor", "+", "&&", "or(", "and(", "or'", "or\"", "where", "xor", "procedure", "rlike", "not ", "div ", "between", "regexp", "select", "insert", "update", "delete", "drop", "exec"} {
			if strings.HasPrefix(rest, w) {
				return true
			}
		}
	}
	return false
}

// calls finds functions that only attackers put into an id.
func calls(s string) bool {
	for _, f := range []string{"version(", "user(", "database(", "ascii(", "substring(", "char(", "concat(", "hex(", "unhex(", "sin(", "pi(", "floor(rand", "length(", "ord(", "mid(", "md5(", "convert(", "cast(", "count(", "system_user", "current_user", "chr(", "ifnull(", "isnull(", "nullif(", "coalesce(", "greatest(", "rand("} {
		if strings.Contains(s, f) {
			return true
		}
	}
	return false
}

// statement judges a field that takes SQL. What a statement may do is for the
// tool's effect and for policy to say; a script of several is the tool's
// ordinary work. One that begins as a question and goes on to change something
// is not what it seems, nor is one that reaches outside the database.
func statement(s string) Finding {
	flat := squeeze(s)
	for _, p := range []string{"xp_cmdshell", "into outfile", "into dumpfile", "load_file(", "sp_oacreate", "copy (select", "to program"} {
		if strings.Contains(flat, p) {
			return Finding{Rule: "statement", Score: 0.9, What: "reaches outside the database: " + p}
		}
	}
	if !strings.HasPrefix(flat, "select") && !strings.HasPrefix(flat, "with ") {
		return Finding{}
	}
	for rest := flat; ; {
		i := strings.IndexByte(rest, ';')
		if i < 0 {
			return Finding{}
		}
		rest = strings.TrimSpace(rest[i+1:])
		for _, p := range []string{"drop ", "delete ", "truncate ", "alter ", "grant ", "update ", "insert ", "exec", "shutdown"} {
			if strings.HasPrefix(rest, p) {
				return Finding{Rule: "statement", Score: 0.7, What: "a question, and behind it a statement that changes data"}
			}
		}
	}
}

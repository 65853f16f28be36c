package args

import "strings"

// Claimed holds the queries of a tool whose server says that it reads only to
// that. The word is not the operator's, and what its queries are written in is
// not known: only what is SQL beyond doubt, and more than reads, is stopped.
func Claimed(tool string, arguments []byte, formats map[string]string) []Finding {
	return For(tool, formats).Claimed(arguments)
}

// Claimed is [Claimed] for a tool that is known.
func (t *Tool) Claimed(arguments []byte) []Finding { return t.queries(arguments, claimed) }

func claimed(query string) string {
	words, _, ok := statements(query)
	if len(words) == 0 {
		return ""
	}
	switch first := words[0]; {
	case orders(words, query):
		return "it begins with " + cut(first)
	case first == "select" && selects(words), first == "pragma", first == "explain", first == "with" && ok && selects(words):
		return changes(query)
	}
	return ""
}

// selects tells a query from a sentence: it names where from, or calls something.
func selects(words []string) bool {
	for _, w := range words[1:] {
		if w == "from" || strings.HasSuffix(w, called) || acts(w) {
			return true
		}
	}
	return false
}

// orders reports statements that change something, by their first words.
func orders(words []string, query string) bool {
	at := func(i int) string {
		if i < len(words) {
			return strings.TrimSuffix(words[i], called)
		}
		return ""
	}
	has := func(w string) bool {
		for i := 1; i < min(len(words), 12); i++ {
			if at(i) == w {
				return true
			}
		}
		return false
	}
	switch at(0) {
	case "delete":
		return at(1) == "from" && len(words) <= 3 || at(1) == "from" && (has("where") || has("using") || has("returning"))
	case "update":
		return has("set") && strings.Contains(query, "=")
	case "insert", "replace", "merge":
		return at(1) == "into" && (has("values") || has("select") || has("using") || has("set"))
	case "drop", "alter", "create":
		switch next := at(1); next {
		case "table", "view", "index", "database", "schema", "user", "role", "function", "procedure", "trigger", "extension", "sequence":
			if at(0) == "create" {
				return has("as") || next == "index" && has("on") || next == "trigger" && has("on") || strings.ContainsAny(query, "(;'")
			}
			return len(words) <= 4 || has("if") || has("add") || has("cascade") || has("rename") || has("column") || strings.ContainsAny(query, "(;'")
		case "or", "temp", "temporary", "materialized", "unique":
			return at(2) != "" && (has("view") || has("table") || has("function") || has("index") || has("replace"))
		}
	case "truncate":
		return len(words) <= 2 || at(1) == "table"
	case "do":
		return strings.Contains(query, "$") || at(1) == "language"
	case "copy":
		return (has("to") || has("from")) && strings.ContainsAny(query, "'$(") || has("stdout") || has("stdin") || has("program")
	case "attach":
		return strings.Contains(query, "'") || at(1) == "database"
	case "grant", "revoke":
		return has("on") && (has("to") || has("from"))
	case "call", "exec", "execute":
		return strings.Contains(query, "(") || strings.HasPrefix(at(1), "xp_") || strings.HasPrefix(at(1), "sp_") || at(1) == "immediate"
	case "load":
		return at(1) == "data" || at(1) == "'"
	case "vacuum", "reindex", "shutdown", "detach":
		return len(words) <= 3
	}
	return false
}

// called is the end of a word that a parenthesis follows.
const called = "()"

// acts reports functions that change something, wait, or leave the database,
// inside of what only seems to read.
func acts(w string) bool {
	name, call := strings.CutSuffix(w, called)
	switch name {
	case "setval", "nextval", "set_config", "openrowset", "opendatasource", "openquery", "httpuritype", "load_file", "load_extension", "writefile", "readfile",
		"sys_exec", "sys_eval", "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml", "fts3_tokenizer", "waitfor", "txid_current":
		return true
	case "sleep", "benchmark", "get_lock", "release_lock", "edit", "url", "remote", "remotesecure", "s3", "hdfs", "shell", "system":
		return call
	}
	if call { // columns have such names, too
		for _, start := range []string{"lo_", "xp_", "http_get", "http_post"} {
			if strings.HasPrefix(name, start) {
				return true
			}
		}
	}
	for _, start := range []string{
		"pg_read_", "pg_ls_", "pg_stat_file", "pg_write_", "pg_file_", "pg_terminate_", "pg_cancel_", "pg_reload_", "pg_rotate_", "pg_sleep", "pg_notify", "pg_advisory_", "pg_try_advisory_",
		"pg_logical_", "pg_create_", "pg_drop_", "pg_replication_origin_", "pg_promote", "pg_switch_", "pg_execute_", "pg_import_", "pg_stat_reset",
		"dblink", "utl_", "dbms_",
	} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// looks reports the pragmas that tell and set nothing.
func looks(pragma string) bool {
	switch strings.TrimSuffix(pragma, called) {
	case "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list", "foreign_key_check", "database_list", "collation_list",
		"function_list", "module_list", "pragma_list", "compile_options", "integrity_check", "quick_check":
		return true
	}
	return false
}

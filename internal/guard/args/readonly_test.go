package args_test

import (
	"encoding/json"
	"testing"

	"durward/internal/guard/args"
)

func TestReadOnly(t *testing.T) {
	for query, stops := range map[string]bool{
		"SELECT name FROM users WHERE id = 7":                      false,
		"select * from t where note = 'please delete; drop table'": false,
		"SELECT 1;":                                             false,
		"SELECT 1; -- done; delete from t":                      false,
		"WITH x AS (SELECT 1) SELECT * FROM x":                  false,
		"EXPLAIN SELECT 1":                                      false,
		"SELECT \"update\" FROM t /* delete */":                 false,
		"MATCH (n:Person) RETURN n.name":                        false,
		"DELETE FROM users":                                     true,
		"select 1; delete from users":                           true,
		"select 1;\n;select 2":                                  true,
		"SELECT * INTO OUTFILE '/tmp/x' FROM t":                 true,
		"WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d": true,
		"EXPLAIN ANALYZE DELETE FROM t":                         true,
		"SELECT 1 /*!50000 ; DROP TABLE t */":                   true,
		"SELECT 'a":                                             true,
		"SELECT 'a\\'; DROP TABLE t; --'":                       true,
		"MATCH (n) DETACH DELETE n":                             true,
		"mutation { drop }":                                     true,
		"DROP TABLE t":                                          true,

		"SELECT query_to_xml('delete from users',true,true,'')":                     true,
		"SELECT pg_read_file('/etc/passwd')":                                        true,
		"SELECT \"pg_read_file\" ('/etc/passwd')":                                   true,
		"select pg_read_file/**/('/etc/passwd')":                                    true,
		"SELECT lo_import('/etc/passwd')":                                           true,
		"SELECT utl_http.request('http://evil.example') FROM dual":                  true,
		"SELECT * FROM OPENROWSET('SQLNCLI', 'x', 'select 1')":                      true,
		"SELECT pg_terminate_backend(1)":                                            true,
		"SELECT setval('s', 1)":                                                     true,
		"SELECT nextval('s')":                                                       true,
		"SELECT pg_sleep(1000)":                                                     true,
		"SELECT sleep(1000)":                                                        true,
		"SELECT sys_exec('id')":                                                     true,
		"SELECT load_extension('x')":                                                true,
		"SELECT * FROM url('http://evil.example')":                                  true,
		"PRAGMA writable_schema=1":                                                  true,
		"PRAGMA writable_schema(1)":                                                 true,
		"PRAGMA table_info(users)":                                                  false,
		"PRAGMA main.table_info('users')":                                           false,
		"PRAGMA user_version":                                                       false,
		"SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class": false,
		"SELECT sleep, url, edit FROM nights WHERE lo_orderdate > 7":                false,
		"SELECT xp_points FROM players":                                             false,
		"SELECT * FROM pg_stat_activity":                                            false,
		"SELECT count (*) FROM http_get_requests":                                   false,
	} {
		raw, err := json.Marshal(map[string]string{"sql": query})
		if err != nil {
			t.Fatal(err)
		}
		if got := args.ReadOnly("query", raw, nil); len(got) > 0 != stops {
			t.Errorf("ReadOnly(%q) = %+v, want a finding: %v", query, got, stops)
		}
	}
	for query, stops := range map[string]bool{
		"DELETE FROM users":                                     true,
		"TRUNCATE users":                                        true,
		"DO $$ BEGIN DELETE FROM t; END $$":                     true,
		"COPY users TO '/tmp/x'":                                true,
		"ATTACH 'x.db' AS x":                                    true,
		"DROP TABLE users":                                      true,
		"UPDATE users SET a = 1":                                true,
		"INSERT INTO users VALUES (1)":                          true,
		"SELECT load_extension('x')":                            true,
		"SELECT sys_exec('id')":                                 true,
		"SELECT * FROM t; DELETE FROM t":                        true,
		"WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d": true,
		"PRAGMA writable_schema=1":                              true,

		"SELECT name FROM users WHERE id = 7":         false,
		"delete users that are old":                   false,
		"update on the migration project":             false,
		"create table of contents for the handbook":   false,
		"drop in sales":                               false,
		"select a plan and update it":                 false,
		"with respect to the update":                  false,
		"StormEvents | where State == 'X' | count":    false,
		"project = DURWARD AND status != Done":        false,
		"sum(rate(http_requests_total[5m])) by (job)": false,
		"index=main sourcetype=access | stats count":  false,
		"{ users { id name } }":                       false,
		"copy of the invoice from May":                false,
		"call the customer":                           false,
		"grant access on weekends":                    false,
		"don't delete from":                           false,
		"load testing":                                false,
	} {
		raw, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		if got := args.Claimed("query", raw, nil); len(got) > 0 != stops {
			t.Errorf("Claimed(%q) = %+v, want a finding: %v", query, got, stops)
		}
	}
	if got := args.ReadOnly("query", []byte(`{"name":"delete this"}`), nil); got != nil {
		t.Errorf("a field that holds no query: %+v", got)
	}
}

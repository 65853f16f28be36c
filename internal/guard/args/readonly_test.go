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
	} {
		raw, err := json.Marshal(map[string]string{"sql": query})
		if err != nil {
			t.Fatal(err)
		}
		if got := args.ReadOnly("query", raw, nil); len(got) > 0 != stops {
			t.Errorf("ReadOnly(%q) = %+v, want a finding: %v", query, got, stops)
		}
	}
	if got := args.ReadOnly("query", []byte(`{"name":"delete this"}`), nil); got != nil {
		t.Errorf("a field that holds no query: %+v", got)
	}
}

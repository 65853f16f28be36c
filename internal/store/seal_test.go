package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"durward"
	"durward/internal/store"
)

const token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"

func withSecrets(t *testing.T, dir string, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	up := durward.Upstream{Name: "crm", URL: "https://crm.example", Args: []string{"--key=" + token}, Headers: map[string]string{"Authorization": "Bearer " + token}}
	if _, err := db.Apply(t.Context(), 0, "tester", []durward.Change{{PutUpstream: &up}}); err != nil {
		t.Fatal(err)
	}
	if err := db.SetGrant("crm", []byte(`{"token":"`+token+`"}`)); err != nil {
		t.Fatal(err)
	}
	return db
}

func closeDB(t *testing.T, db *store.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// holds checks that a database gives back what withSecrets put there.
func holds(t *testing.T, dir string, o store.Options) {
	t.Helper()
	db, err := store.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, db)
	s, err := db.State(t.Context())
	if err != nil || len(s.Upstreams) != 1 || s.Upstreams[0].Headers["Authorization"] != "Bearer "+token {
		t.Errorf("State = %+v, %v", s, err)
	}
	if g, ok := db.Grant("crm"); !ok || !bytes.Contains(g, []byte(token)) {
		t.Errorf("Grant = %s, %v", g, ok)
	}
	if j, err := db.Journal(t.Context(), 0, 10); err != nil || len(j) != 1 || j[0].By != "tester" {
		t.Errorf("Journal = %+v, %v", j, err)
	}
}

func openly(t *testing.T, dir string) bool {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(raw, []byte(token[4:]))
}

func TestSecretsLieSealed(t *testing.T) {
	dir := t.TempDir()
	closeDB(t, withSecrets(t, dir, store.Options{}))
	if openly(t, dir) {
		t.Error("the database holds a secret in the clear")
	}
	info, err := os.Stat(filepath.Join(dir, store.KeyName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
	holds(t, dir, store.Options{})
	if err := os.Remove(filepath.Join(dir, store.KeyName)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, store.Options{}); !errors.Is(err, store.ErrSealed) {
		t.Errorf("without its key: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, store.KeyName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another key was made: %v", err)
	}
}

func TestAKeyThatIsGivenTakesOver(t *testing.T) {
	dir, given := t.TempDir(), store.Options{Seal: []byte("a secret from elsewhere")}
	closeDB(t, withSecrets(t, dir, store.Options{}))
	holds(t, dir, given)
	if _, err := os.Stat(filepath.Join(dir, store.KeyName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the key in the folder is still there: %v", err)
	}
	holds(t, dir, given)
	for name, o := range map[string]store.Options{"none": {}, "another": {Seal: []byte("not that one")}} {
		if _, err := store.Open(dir, o); !errors.Is(err, store.ErrSealed) {
			t.Errorf("with %s key: %v", name, err)
		}
	}
}

// What an older release left open is sealed, and nothing of it stays in freed pages.
func TestOldDatabasesAreSealed(t *testing.T) {
	dir := t.TempDir()
	closeDB(t, withSecrets(t, dir, store.Options{}))
	path := filepath.Join(dir, store.FileName)
	b, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	up, _ := json.Marshal(durward.Upstream{Name: "crm", URL: "https://crm.example", Headers: map[string]string{"Authorization": "Bearer " + token}})
	err = b.Update(func(tx *bbolt.Tx) error {
		entry := []byte(`{"revision":1,"by":"tester","changes":[]}`)
		grants := tx.Bucket([]byte("grants"))
		k, _ := grants.Cursor().First()
		return errors.Join(tx.Bucket([]byte("meta")).Delete([]byte("seal")), tx.Bucket([]byte("upstreams")).Put([]byte("crm"), up),
			grants.Put(bytes.Clone(k), []byte(`{"token":"`+token+`"}`)), tx.Bucket([]byte("journal")).Put([]byte{0, 0, 0, 0, 0, 0, 0, 1}, entry))
	})
	if err := errors.Join(err, b.Close(), os.Remove(filepath.Join(dir, store.KeyName))); err != nil {
		t.Fatal(err)
	}
	if !openly(t, dir) {
		t.Fatal("the old database holds nothing in the clear")
	}
	holds(t, dir, store.Options{})
	if openly(t, dir) {
		t.Error("the database still holds a secret in the clear")
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

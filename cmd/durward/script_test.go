package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"durward/internal/admin"
	"durward/internal/boot"
	"durward/internal/durwardtest"
)

// The test binary is also the program, and a server for it to import.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"durward": main, "notes-server": notesServer, "moody-server": moodyServer, "turncoat": turncoat, "chameleon": chameleon, "oracle": oracle, "believer": believer, "villain": villain, "gullible": gullible, "errander": errander})
}

// notesServer is the example under a name that is not ours.
func notesServer() {
	if err := boot.RunExample(context.Background(), boot.Example{Version: "1"}); err != nil {
		os.Exit(1)
	}
}

// gullible is an agent that falls for everything: gullible TOOL.
func gullible() {
	if err := durwardtest.Gullible(context.Background(), os.Getenv("URL"), os.Getenv("DURWARD_KEY"), os.Args[1], os.Stdout); err != nil {
		os.Exit(1)
	}
}

// believer is an agent that believes what definitions say: believer WISH.
func believer() {
	if err := durwardtest.Believer(context.Background(), os.Getenv("URL"), os.Getenv("DURWARD_KEY"), os.Args[1], os.Stdout); err != nil {
		os.Exit(1)
	}
}

// villain is a server that answers what a file says.
func villain() {
	if err := durwardtest.Villain(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}

// errander is a server whose tool runs only as a task.
func errander() {
	if err := durwardtest.Errander(os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}

// turncoat is a server that changes what it lists.
func turncoat() {
	if err := durwardtest.Turncoat(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}

// chameleon is a server over HTTP that shows some callers other tools than others.
func chameleon() {
	if err := durwardtest.ServeChameleon(os.Args[1:]); err != nil {
		os.Exit(1)
	}
}

// oracle is a classifier of texts.
func oracle() {
	if err := durwardtest.ServeOracle(os.Args[1:]); err != nil {
		os.Exit(1)
	}
}

// TestStories runs what people do with the program, one story a file.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": exitsWith, "serving": waitServing, "gone": waitGone, "keep": keepOutput, "firstid": keepFirstID, "mode": hasMode, "field": keepField, "retry": retry, "retryout": retryOutput, "tamper": tamper, "artefact": readArtefact, "secret": keepToken,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("DURWARD_KEY", "")
			return nil
		},
	})
}

// exitsWith runs a command that must end with an exit code: code 3 durward call x.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [arg...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// patience is how long a story waits for what has to happen.
const patience = time.Minute

// waitServing waits until a gateway answers on a data folder, and sets URL and ADMIN.
func waitServing(ts *testscript.TestScript, _ bool, args []string) {
	data := ts.MkAbs(args[0])
	for deadline := time.Now().Add(patience); ; {
		c, run, err := admin.Connect(context.Background(), data)
		if err == nil {
			c.Close()
			ts.Setenv("URL", run.Agents+"/mcp")
			ts.Setenv("ADMIN", run.URL)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no gateway serves %s: %v", data, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// waitGone waits until no gateway runs on a data folder.
func waitGone(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := admin.ReadRun(ts.MkAbs(args[0])); errors.Is(err, admin.ErrNotRunning) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("a gateway still runs on %s", args[0])
}

// keepOutput puts the last standard output into a variable: keep KEY.
func keepOutput(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// keepField puts a field of the last standard output, an object, into a variable: field secret KEY.
func keepField(ts *testscript.TestScript, _ bool, args []string) {
	var v map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	text, ok := v[args[0]].(string)
	if !ok {
		ts.Fatalf("there is no text %s in %v", args[0], v)
	}
	ts.Setenv(args[1], text)
}

// keepFirstID puts the id of the first object of the last standard output, a list, into a variable.
func keepFirstID(ts *testscript.TestScript, _ bool, args []string) {
	var all []struct {
		ID string `json:"id"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &all))
	if len(all) == 0 {
		ts.Fatalf("the list is empty")
	}
	ts.Setenv(args[0], all[0].ID)
}

// hasMode checks the permissions of a file: mode 600 data/admin.key.
func hasMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// retry runs a command until it ends with an exit code, for what takes effect
// a moment later: retry 0 durward call x.
func retry(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if exitCode(ts.Exec(args[1], args[2:]...)) == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%v never ended with %d", args[1:], want)
}

// retryOutput runs a command until it prints a word: retryout reload durward doctor.
func retryOutput(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_ = ts.Exec(args[1], args[2:]...) // how it ends is not the point
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%v never printed %s", args[1:], args[0])
}

// readArtefact reads what was withheld, by the first handle that the last output names.
func readArtefact(ts *testscript.TestScript, _ bool, _ []string) {
	handle := regexp.MustCompile(`q_[a-z0-9]+`).FindString(ts.ReadFile("stdout"))
	ts.Check(ts.Exec("durward", "guard", "artefact", handle))
}

// keepToken puts the first token that stands for a secret into TOKEN.
func keepToken(ts *testscript.TestScript, _ bool, _ []string) {
	token := regexp.MustCompile(`\[secret:[^\]]+\]`).FindString(ts.ReadFile("stdout"))
	if token == "" {
		ts.Fatalf("there is no token")
	}
	ts.Setenv("TOKEN", token)
}

// tamper changes one word in the record of a data folder, as somebody with
// access to the disk would: tamper data allow deny.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "audit", "*.jsonl"))
	ts.Check(err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		ts.Check(err)
		if changed := strings.Replace(string(raw), args[1], args[2], 1); changed != string(raw) {
			ts.Check(os.WriteFile(f, []byte(changed), 0o600))
			return
		}
	}
	ts.Fatalf("%q is nowhere in %v", args[1], files)
}

package stdio

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// inherited are the only variables of the gateway that a server sees: what a
// program needs to find its files and speak its user's language. Keys, tokens
// and the gateway's own settings live in other variables and stay there.
var inherited = [...]string{
	"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL", "TERM",
	"SystemRoot", "USERPROFILE", "APPDATA", "TEMP", // where those mean something
}

// environ is the environment of a server: the inherited few, then what was declared.
func environ(declared map[string]string, tag string) []string {
	env := make([]string, 0, len(inherited)+len(declared)+1)
	for _, name := range inherited {
		if _, own := declared[name]; own {
			continue
		}
		// A value that starts like a function is code to some shells.
		if v, ok := os.LookupEnv(name); ok && !strings.HasPrefix(v, "()") {
			env = append(env, name+"="+v)
		}
	}
	for name, value := range declared {
		if name != tagName {
			env = append(env, name+"="+value)
		}
	}
	slices.Sort(env)
	return append(env, tagName+"="+tag)
}

// locate finds the program of a command: by the declared PATH if there is one,
// else by the gateway's.
func locate(command string, declared map[string]string) (string, error) {
	path, own := declared["PATH"]
	if !own || strings.ContainsRune(command, filepath.Separator) {
		return exec.LookPath(command)
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // never what happens to lie in the working directory
		}
		if found, err := exec.LookPath(filepath.Join(dir, command)); err == nil {
			return found, nil
		}
	}
	return "", &exec.Error{Name: command, Err: exec.ErrNotFound}
}

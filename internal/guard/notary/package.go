package notary

import (
	"path"
	"slices"
	"strings"
)

// packageOf is what a runner fetches and starts: name@version, or an image;
// "" for a program that is there already.
func packageOf(command string, args []string) string {
	runner := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(path.Base(strings.ReplaceAll(command, "\\", "/"))), ".exe"), ".cmd")
	switch runner {
	case "npx", "bunx", "uvx", "pnpx":
		return named(args)
	case "npm", "pnpm", "yarn", "bun", "pipx", "uv":
		if rest, ok := after(args, "exec", "x", "dlx", "run"); ok && runner != "uv" {
			return named(rest)
		} else if tool, isTool := after(args, "tool"); isTool {
			rest, _ := after(tool, "run")
			return named(rest)
		}
	case "docker", "podman", "nerdctl":
		if rest, ok := after(args, "run"); ok {
			return image(rest)
		}
	case "cmd", "sh", "bash": // cmd /c npx ...
		for i, a := range args {
			if !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "/") {
				if words := append(strings.Fields(a), args[i+1:]...); len(words) > 0 {
					return packageOf(words[0], words[1:])
				}
				return ""
			}
		}
	}
	return ""
}

// after returns what follows the first word, if that is one of some.
func after(args []string, words ...string) ([]string, bool) {
	for i, a := range args {
		if slices.Contains(words, a) {
			return args[i+1:], true
		}
		if !strings.HasPrefix(a, "-") {
			break
		}
	}
	return nil, false
}

// named is the package that a runner's arguments name, with an option or as the
// first that is none.
func named(args []string) string {
	for i := 0; i < len(args); i++ {
		for _, o := range []string{"--package", "--from", "-p"} {
			if v, ok := strings.CutPrefix(args[i], o+"="); ok {
				return v
			}
			if args[i] == o && i+1 < len(args) {
				return args[i+1]
			}
		}
		switch {
		case slices.Contains([]string{"--registry", "--cache", "--index-url", "--python", "--with"}, args[i]):
			i++ // its value
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

// image is what docker run runs. Its options with a value of their own are many;
// those without one are few.
func image(args []string) string {
	alone := []string{"-i", "-t", "-it", "-ti", "-d", "--rm", "--init", "--privileged", "--read-only", "--interactive", "--tty", "--detach", "-P", "--publish-all", "-q", "--quiet", "--no-healthcheck"}
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case !strings.HasPrefix(a, "-"):
			return a
		case strings.Contains(a, "=") || slices.Contains(alone, a):
		default:
			i++
		}
	}
	return ""
}

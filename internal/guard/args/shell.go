package args

import "strings"

// shell judges a value of a field that takes no command. typed fields (paths,
// hosts, addresses) have no use for a shell's marks at all.
func shell(s string, typed bool) Finding {
	s = withoutSlots(s)
	plain := unquote(s)
	switch {
	case hasFold(plain, hardForms) || hasFold(strings.ToLower(s), []string{"${shell}", "${path"}):
		return Finding{Rule: "command", Score: 0.95, What: "shell expansion"}
	case chained(plain) || chained(s):
		return Finding{Rule: "command", Score: 0.93, What: "a command behind a separator"}
	case commandFirst(plain):
		return Finding{Rule: "command", Score: 0.85, What: "a command line"}
	case plain != s && splitWord(s) && !prose(s) && (commandFirst(plain) || commandAnywhere(plain)):
		return Finding{Rule: "command", Score: 0.9, What: "a command with its quotes taken apart"}
	}
	if typed && marks(strings.TrimRight(s, " \r\n")) && !prose(s) {
		return Finding{Rule: "command", Score: 0.8, What: "shell marks in a typed field"}
	}
	return Finding{}
}

var hardForms = []string{
	"$(", "`id`", "`ls", "`cat", "`whoami", "${ifs", "$ifs", "() {", "(){", "){", "<<<", "/dev/tcp", "$shell", "$0 ", "${path", "$path", "${shell", "$@", "$*", "{,", "/???/", "/b??/", "/bi?/", "/?in/", "cmd /c", "cmd.exe", "powershell", "%comspec%", "%systemroot%", "for /f", "for /l", "for /d", "if exist ", "if /i", "/bin/", "/sbin/", "/usr/bin", "system32", "2>&1", ">/dev/null", "&>", "|&", "\nretr ", "\nhelo", "\nmail from", "\nrcpt to", "\ndele ", "\nuser ", "\nehlo", "\ndata\r", "\nstat", "\nlist", "ld_preload=", "busybox", "import os", "os.system", "subprocess.", "runtime.exec", "getruntime", "processbuilder", "require('child_process", "child_process", "invoke-expression", "iex(", "iex (", "new-object", "start-process", "foreach-object", "get-childitem", "get-content", "$env:", "rundll32", "regsvr32", "certutil", "bitsadmin", "mshta", "wscript", "cscript", "wmic ", "${jndi", "#{", "{{", "<%", "<?php", "__import__", "t(java", "ognl", "%{", "$[",
}

func isCommand(w string) bool {
	if i := strings.LastIndexAny(w, "/\\"); i >= 0 {
		w = w[i+1:]
	}
	w = strings.TrimRight(w, "0123456789.")
	w = strings.TrimSuffix(w, ".exe")
	switch w {
	case "cat", "ls", "id", "whoami", "ifconfig", "ipconfig", "ip", "wget", "curl", "nc", "ncat", "netcat", "bash", "sh", "zsh", "ksh", "dash", "csh", "tcsh", "fish",
		"python", "perl", "ruby", "php", "node", "lua", "gcc", "g++", "cc", "make", "ping", "sleep", "rm", "cp", "mv", "uname", "echo", "printf", "ps", "kill", "pkill", "killall", "env", "printenv", "set", "export",
		"chmod", "chown", "chgrp", "ln", "mkdir", "touch", "dd", "tee", "tail", "head", "more", "less", "nl", "od", "xxd", "base64", "tac", "rev", "strings", "awk", "gawk", "sed", "grep", "egrep", "fgrep", "find", "xargs", "sort", "uniq", "cut", "tar", "gzip", "gunzip", "zip", "unzip", "ssh", "scp", "sftp", "ftp", "tftp", "telnet", "rsync", "socat", "nmap", "dig", "nslookup", "host", "arp", "route", "netstat", "ss", "lsof", "mount", "umount", "df", "du", "fdisk", "lsblk", "crontab", "at", "nohup", "setsid", "screen", "tmux", "sudo", "su", "doas", "passwd", "useradd", "adduser", "usermod", "groupadd", "systemctl", "service", "init", "reboot", "shutdown", "halt", "poweroff", "iptables", "ufw", "docker", "kubectl", "git", "svn", "pip", "npm", "apt", "apt-get", "yum", "dnf", "apk", "brew", "eval", "exec", "source", "time", "timeout", "watch", "who", "w", "last", "history", "alias", "hostname", "uptime", "free", "top", "dir", "type", "copy", "del", "erase", "net", "net1", "netsh", "tasklist", "taskkill", "systeminfo", "reg", "sc", "schtasks", "cmd", "powershell", "pwsh", "vi", "vim", "nano", "ed", "ex", "gdb", "strace", "ltrace", "openssl", "mail", "sendmail", "mysql", "psql", "sqlite", "busybox", "java", "javac", "jjs", "go", "rustc", "ldconfig", "ld", "insmod", "modprobe", "dmesg", "sysctl", "lscpu", "pwd", "cd", "which", "whereis", "locate", "file", "stat", "diff", "cmp", "comm", "join", "paste", "split", "csplit", "test", "expr", "bc", "dc", "seq", "yes", "true", "false", "wc", "md5sum", "sha1sum", "fold", "expand", "tr", "column", "pr", "fmt", "iconv", "script", "expect", "chroot", "unshare", "nsenter", "capsh", "setarch", "stdbuf", "taskset", "nice", "ionice", "chrt", "flock", "logger", "wall", "write", "mesg", "tclsh", "wish", "irb", "gem", "bundle", "rake", "composer", "cpan", "pkexec", "runuser", "lxc", "aptitude", "ash", "basenc", "base32", "batcat", "bpftrace", "bzip2", "bzcat", "c89", "c99", "cpio", "cpulimit", "csvtool", "dmsetup", "elvish", "gnuplot", "hexdump", "hping3", "iftop", "invoke-webrequest", "invoke-restmethod", "iwr", "irm", "jq", "jrunscript", "lwp-download", "mawk", "nawk", "nft", "pandoc", "pdflatex", "psftp", "rlogin", "rlwrap", "rvim", "sqlmap", "ssh-keygen", "ssh-keyscan", "sshpass", "start-stop-daemon", "tcpdump", "uudecode", "uuencode", "valgrind", "vimdiff", "virsh", "xzcat", "zcat", "zstdcat", "zypper", "aria2c", "axel", "lynx", "w3m", "links", "fetch", "busctl", "loginctl", "journalctl", "pkg", "snap", "flatpak", "rpm", "dpkg", "gcore", "readelf", "objdump", "nm", "ldd", "gpg":
		return true
	}
	return false
}

// unquote takes out what shells drop: quotes, backslashes, carets, empty
// expansions.
func unquote(s string) string {
	out := strings.ToLower(s)
	if !strings.ContainsAny(s, "\\$'\"^\r") {
		return out
	}
	out = strings.ToLower(unquoter.Replace(s))
	for { // ${gcc7.4} and its like are empty
		i := strings.Index(out, "${")
		if i < 0 {
			return out
		}
		j := strings.IndexByte(out[i:], '}')
		if j < 0 {
			return out
		}
		out = out[:i] + out[i+j+1:]
	}
}

// unquoter never changes.
var unquoter = strings.NewReplacer(`\`+"\n", "", "${IFS}", " ", "$IFS", " ", "$@", "", "$*", "", "''", "", `""`, "", "'", "", `"`, "", `\`, "", "^", "", "\r", "\n")

// splitWord finds quotes or backslashes within a word.
func splitWord(s string) bool {
	for i := 1; i+1 < len(s); i++ {
		if (s[i] == '\'' || s[i] == '"' || s[i] == '\\' || s[i] == '^') && letter(s[i-1]) && letter(s[i+1]) {
			return true
		}
	}
	return strings.Contains(s, `""`) || strings.Contains(s, "''")
}

// withoutSlots is a text without the slots of templates that hold a name:
// {{user.name}}, {{#each rows}}.
func withoutSlots(s string) string {
	for from := 0; ; {
		i := strings.Index(s[from:], "{{")
		if i < 0 {
			return s
		}
		i += from
		end := strings.Index(s[i:], "}}")
		if end < 0 || strings.Trim(strings.ToLower(s[i+2:i+end]), "abcdefghijklmnopqrstuvwxyz_. #/$0123456789") != "" || strings.Contains(s[i:i+end], "__") {
			from = i + 2
			continue
		}
		s, from = s[:i]+s[i+end+2:], i
	}
}

// globbed is a text with what a shell would take for one letter in its place.
func globbed(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '[' && i+2 < len(s) && s[i+2] == ']' {
			b.WriteByte(s[i+1])
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// chained finds a separator and a command behind it.
func chained(s string) bool {
	s = strings.ToLower(s)
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ';', '|', '&', '\n', '`', '(', '{', '!':
		default:
			continue
		}
		rest := behind(s[i+1:], "|&;({!.\n")
		w, tail := firstWord(rest)
		if !isCommand(w) {
			continue
		}
		if strings.TrimSpace(tail) == "" && (s[i] == ';' || s[i] == '|' || s[i] == '`' || strings.HasPrefix(s[i:], "&&")) && !prose(s[:i]) {
			return true
		}
		if s[i] == '(' || s[i] == '&' || s[i] == '!' || s[i] == ';' || s[i] == '\n' { // prose has these too
			if !lineLike(w, tail) && !strings.HasPrefix(s[i:], "&&") {
				continue
			}
		}
		return true
	}
	return false
}

// behind is what follows a separator, without blanks and further marks. It is
// bounded, so that a text of nothing but separators costs what others do: the
// last of them see what the first do not reach.
func behind(s, marks string) string {
	for n := 0; s != "" && n < 32; s = s[1:] {
		if s[0] == ' ' || s[0] == '\t' {
			continue
		}
		if strings.IndexByte(marks, s[0]) < 0 {
			break
		}
		n++
	}
	return s[:min(len(s), 256)]
}

// commandFirst finds a command line: a command and something that only
// commands take.
func commandFirst(s string) bool {
	w, tail := firstWord(strings.TrimLeft(s, " \t\n=+.@"))
	return isCommand(w) && lineLike(w, tail)
}

// lineLike reports arguments of a command: options, paths, assignments, or
// none at all.
func lineLike(w, tail string) bool {
	t := strings.TrimSpace(tail)
	if t == "" || t[0] == ';' || t[0] == '|' || t[0] == '&' || t[0] == '<' || t[0] == '>' || t[0] == '`' || t[0] == ')' || t[0] == '}' || t[0] == '#' || t[0] == '\n' {
		return t != ""
	}
	next, _ := firstWord(t)
	if isCommand(next) && len(strings.Fields(t)) <= 3 {
		return true
	}
	return t[0] == '-' || t[0] == '/' || t[0] == '.' || t[0] == '$' || t[0] == '*' || t[0] == '~' || t[0] == ',' || strings.HasPrefix(t, "http") || strings.HasPrefix(t, "localhost") || strings.Contains(t, "|") || strings.Contains(t, ">") || (len(strings.Fields(t)) == 1 && !strings.HasSuffix(t, "."))
}

func commandAnywhere(s string) bool {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\n;|&(){}<>,=", r) }) {
		if len(w) > 2 && isCommand(w) {
			return true
		}
	}
	return false
}

func firstWord(s string) (string, string) {
	end := 0
	for end < len(s) && (letter(s[end]) || '0' <= s[end] && s[end] <= '9' || s[end] == '/' || s[end] == '.' || s[end] == '-' || s[end] == '_' || s[end] == '+' || s[end] == '\\' || s[end] == ':') {
		end++
	}
	return s[:end], s[end:]
}

// marks reports characters with a meaning to shells.
func marks(s string) bool {
	return strings.ContainsAny(s, ";|`$<>\n\r\x00\\") || strings.Contains(s, "&&") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "!")
}

// prose reports sentences: words parted by blanks, few marks.
func prose(s string) bool {
	fields := strings.Fields(s)
	if len(fields) < 4 {
		return false
	}
	wordsOnly := 0
	for _, f := range fields {
		f = strings.Trim(f, ".,;:!?()\"'")
		ok := len(f) > 0
		for i := range len(f) {
			if !letter(f[i]) && f[i] != '-' && f[i] != '\'' && f[i] < 0x80 {
				ok = false
				break
			}
		}
		if ok {
			wordsOnly++
		}
	}
	return wordsOnly*4 >= len(fields)*3
}

func hasFold(s string, any []string) bool {
	for _, p := range any {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

package shadow

import (
	"slices"
	"strings"
)

// disguised weighs what of a name is dressed up, beside the one that it looks
// like: foreign characters, digits for letters, odd case and separators, and
// what was put around it.
func (f *form) disguised(how string, o *form) int {
	n := 2 * oddities(f.tool.Name)
	if oddName(f.tool.Name) {
		n += 100
	}
	if d := f.digits - digits(f.bare); d > 0 { // read as letters
		n += 10 * d
	}
	if f.capitalL(o) {
		n += 10
	}
	if how == "spelling" && f.strange(o) {
		n += 5
	}
	if len(f.bare) > len(o.bare) || len(f.stem) < len(f.bare) && f.stem == o.stem {
		n++
	}
	return n
}

// oddities counts what the usual ways to write a name (send_mail, send-mail,
// sendMail, SendMail, mail.send) do not have.
func oddities(name string) (n int) {
	var upper, lower, run, kinds int
	seen := map[byte]bool{}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			if upper, run = upper+1, run+1; run == 4 {
				n++ // shouted
			}
			continue
		}
		run = 0
		switch {
		case 'a' <= c && c <= 'z':
			lower++
		case separator(c):
			if kinds++; i == 0 || i == len(name)-1 || separator(name[i-1]) {
				n++
			}
			seen[c] = true
		}
	}
	if upper > 0 && kinds > 0 {
		n++
	}
	if upper > 0 && lower == 0 {
		n++
	}
	return n + max(len(seen)-1, 0)
}

func separator(c byte) bool { return strings.IndexByte("_-./: ", c) >= 0 }

// variant reports names that are the other one but for case, separators, what
// is put around it, a letter said twice or two that changed places.
func (f *form) variant(how string, o *form) bool {
	switch how {
	case "case", "separators":
		return true
	case "affix":
		return min(len(f.bare), len(o.bare)) >= leastStem
	case "spelling":
		return stray(f.bare, o.bare) || stray(o.bare, f.bare) || swapped(f.bare, o.bare) || f.strange(o) && !o.strange(f)
	}
	return false
}

// strange reports a name with words that the other one does not have and its
// own description does not know: who deletes a node says so, who wrote
// delete_nqte for delete_note does not. Without a description nobody knows.
func (f *form) strange(o *form) bool {
	if len(f.tool.Description) <= leastDescription {
		return false
	}
	theirs, said := wordsOf(o.tool.Name), strings.ToLower(f.tool.Description)
	for _, w := range wordsOf(f.tool.Name) {
		if !slices.Contains(theirs, w) && !strings.Contains(said, singular(w)) {
			return true
		}
	}
	return false
}

// leastDescription is how long a description is at least for it to count.
const leastDescription = 12

// wordsOf are the words of a name, in lower case: send, mail of sendMail.
func wordsOf(name string) (out []string) {
	start := 0
	cut := func(end int) {
		if start < end {
			out = append(out, strings.ToLower(name[start:end]))
		}
	}
	for i := range len(name) {
		switch c := name[i]; {
		case separator(c):
			cut(i)
			start = i + 1
		case 'A' <= c && c <= 'Z' && i > start && 'a' <= name[i-1] && name[i-1] <= 'z':
			cut(i)
			start = i
		}
	}
	cut(len(name))
	return out
}

// capitalL reports an I that stands where the other name has an l.
func (f *form) capitalL(o *form) bool {
	return f.bare != o.bare && len(f.bare) == len(o.bare) && strings.Count(f.bare, "i") > strings.Count(o.bare, "i") && strings.Contains(f.tool.Name, "I")
}

// stray reports a name with a letter too many: before it, behind it where no
// word ends so, or the one beside it again.
func stray(long, short string) bool {
	if len(long) != len(short)+1 {
		return false
	}
	if long[1:] == short || long[:len(short)] == short && !strings.ContainsRune("sdyern", rune(long[len(short)])) {
		return true
	}
	for i := 1; i < len(long); i++ {
		if long[i] == long[i-1] && long[:i]+long[i+1:] == short {
			return true
		}
	}
	return false
}

func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 1; i < len(a); i++ {
		if a[i-1] != b[i-1] {
			return a[i-1] == b[i] && a[i] == b[i-1] && a[i+1:] == b[i+1:]
		}
	}
	return false
}

package dlp

import "bytes"

// rarer are the tokens of services that are met less often, and what tools and
// files hold credentials in.
func rarer() []detector {
	return []detector{
		token("xoxc-", "slack", dashed, 20, 200), token("xoxd-", "slack", dashed+" %", 20, 300), token("AQVN", "yandex", dashed, 34, 40), token("LTAI", "alibaba", "az AZ 09", 16, 24), token("AKID", "tencent", "az AZ 09", 32, 32),
		token("tvly-", "tavily", dashed, 28, 60), token("tfp_", "typeform", dashed, 40, 80), token("shippo_live_", "shippo", lower, 40, 40), token("shippo_test_", "shippo", lower, 40, 40), token("rdme_", "readme", "az 09", 60, 80),
		token("pscale_tkn_", "planetscale", dashed+" .", 32, 64), token("pscale_pw_", "planetscale", dashed+" .", 32, 64), token("pscale_oauth_", "planetscale", dashed+" .", 32, 64), token("pnu_", "prefect", "az AZ 09", 36, 36), token("lsv2_pt_", "langsmith", word, 30, 60), token("lsv2_sk_", "langsmith", word, 30, 60),
		token("HRKU-", "heroku", dashed, 30, 80), token("glc_", "grafana", base64, 40, 300), token("AKCp", "jfrog", "az AZ 09", 60, 80), token("oy2", "nuget", "az 09", 43, 43), token("CLOJARS_", "clojars", "az 09", 60, 60), token("CFPAT-", "contentful", dashed, 40, 50), token("bkua_", "buildkite", lower, 40, 40),
		token("ATBB", "bitbucket", "az AZ 09", 28, 36), token("ATCTT3", "bitbucket", dashed+" =", 40, 260), token("amzn.mws.", "aws", lower+" -", 36, 36), token("sdk-", "launchdarkly", lower+" -", 36, 36), token("fc-", "firecrawl", lower, 32, 32), token("squ_", "sonar", lower, 40, 40), token("sqp_", "sonar", lower, 40, 40), token("sqa_", "sonar", lower, 40, 40),
		token("sl.", "dropbox", dashed+" .", 100, 2000), token("EAAB", "facebook", "az AZ 09", 80, 300), token("EAAC", "facebook", "az AZ 09", 80, 300), token("EAAD", "facebook", "az AZ 09", 80, 300),
		token("sk.eyJ", "mapbox", dashed+" .", 40, 200), token("fm2_", "fly", base64, 60, 800), token("fm1r_", "fly", base64, 60, 800), token("access_token$production$", "paypal", "az 09 $", 40, 60), token("ABSK", "bedrock", base64, 100, 200), token("dop_v1_", "digitalocean", lower, 60, 70),
		digest("$2a$", hashing, 56, 57), digest("$2b$", hashing, 56, 57), digest("$2y$", hashing, 56, 57), digest("$6$", hashing, 80, 140), digest("$5$", hashing, 40, 90), digest("$1$", hashing, 24, 40), digest("$apr1$", hashing, 24, 40), digest("$y$", hashing, 60, 120), digest("$argon2", hashing+" + = ,", 60, 200),
		{prefix: "~", class: Secret, kind: "azure", next: bytesOf("az AZ 09 _ . -"), match: azureSecret},
		{prefix: "AAAAAAAAAAAAAAAAAAAA", class: Secret, kind: "twitter", match: twitter},
		{prefix: "1/", class: Secret, kind: "asana", match: asana},
		{prefix: "pat", class: Secret, kind: "airtable", match: airtable},
		{prefix: "-us", class: Secret, kind: "mailchimp", match: mailchimp},
		{prefix: "SSWS ", class: Secret, kind: kindValue, label: true, match: bearerLike},
		{prefix: "ApiKey ", class: Secret, kind: kindValue, label: true, match: bearerLike},
		{prefix: "\"auth\"", class: Secret, kind: "basic", label: true, match: registry},
		{prefix: "machine ", class: Secret, kind: kindValue, label: true, match: netrc},
		{prefix: "mysql", fold: true, class: Secret, kind: kindValue, label: true, match: mysqlOption},
		{prefix: "sshpass -p", class: Secret, kind: kindValue, label: true, match: sshpass},
		{prefix: "--password ", class: Secret, kind: kindValue, label: true, match: option}, {prefix: "--passwd ", class: Secret, kind: kindValue, label: true, match: option}, {prefix: "--token ", class: Secret, kind: kindValue, label: true, match: option},
		{prefix: "--secret ", class: Secret, kind: kindValue, label: true, match: option}, {prefix: "--api-key ", class: Secret, kind: kindValue, label: true, match: option}, {prefix: "--apikey ", class: Secret, kind: kindValue, label: true, match: option},
		{prefix: "-u ", class: Secret, kind: kindValue, label: true, match: userOption}, {prefix: "--user ", class: Secret, kind: kindValue, label: true, match: userOption},
		{prefix: "set-cookie:", fold: true, class: Secret, kind: kindValue, label: true, match: cookie}, {prefix: "cookie:", fold: true, class: Secret, kind: kindValue, label: true, match: cookie},
		{prefix: "seed phrase", fold: true, class: Secret, kind: "phrase", match: phrase}, {prefix: "recovery phrase", fold: true, class: Secret, kind: "phrase", match: phrase}, {prefix: "mnemonic", fold: true, class: Secret, kind: "phrase", match: phrase}, {prefix: "secret phrase", fold: true, class: Secret, kind: "phrase", match: phrase},
		{prefix: "(", class: Personal, kind: "tel", next: bytesOf("29"), match: americanPhone},
	}
}

// digest is what a password was hashed to: worth hiding, and no credential.
func digest(prefix, alphabet string, least, most int) detector {
	d := token(prefix, "hash", alphabet, least, most)
	match := d.match
	d.match = func(b []byte, i int) (Find, bool) {
		f, ok := match(b, i)
		f.Sure = false
		return f, ok
	}
	return d
}

const hashing = "az AZ 09 . / $"

// azureSecret matches abc8Q~ and what follows: three letters, a sign of its
// kind, and a tilde.
func azureSecret(b []byte, i int) (Find, bool) {
	start := i - 5
	if start < 0 || b[i-1] != 'Q' || !digit(b[i-2]) || start > 0 && alnum(b[start-1]) {
		return Find{}, false
	}
	f, ok := run(b, i+1, 0, tilded, 31, 36)
	f.Start, f.Value = start, start
	return f, ok
}

var tilded = set(dashed + " . ~")

var escapedWord = set("az AZ 09 %")

// twitter matches a token with an escape in it; runs of zeros are of files.
func twitter(b []byte, i int) (Find, bool) {
	f, ok := run(b, i, 20, escapedWord, 60, 120)
	return f, ok && bytes.Contains(b[f.Start:f.End], []byte("%2"))
}

// bareSSN matches a social security number that nothing names.
func bareSSN(b []byte, i int) (Find, bool) {
	if !ssn(b, i) || b[i] == '9' || b[i+3] != '-' || b[i+6] != '-' || i > 0 && (alnum(b[i-1]) || b[i-1] == '-' || b[i-1] == '.' || b[i-1] == '/' || b[i-1] == '#') || i+11 < len(b) && (b[i+11] == '-' || b[i+11] == '.' && i+12 < len(b) && digit(b[i+12])) || string(b[i+4:i+6]) == "00" || string(b[i+7:i+11]) == "0000" {
		return Find{}, false
	}
	return Find{Start: i, End: i + 11, Value: i}, true
}

// asana matches 1/1234567890123456:hex.
func asana(b []byte, i int) (Find, bool) {
	at := i + 2
	for at < len(b) && digit(b[at]) {
		at++
	}
	if n := at - i - 2; n < 10 || n > 20 || at >= len(b) || b[at] != ':' {
		return Find{}, false
	}
	f, ok := run(b, at+1, 0, hexLower, 32, 32)
	f.Start, f.Value = i, i
	return f, ok
}

var hexLower = set(lower)

// airtable matches pat, fourteen characters, a dot and a hash.
func airtable(b []byte, i int) (Find, bool) {
	f, ok := run(b, i, len("pat"), plainLetters, 14, 14)
	if !ok || f.End >= len(b) || b[f.End] != '.' {
		return Find{}, false
	}
	g, ok := run(b, f.End+1, 0, hexLower, 64, 64)
	g.Start, g.Value = i, i
	return g, ok
}

// mailchimp matches a hash before the name of a data centre.
func mailchimp(b []byte, i int) (Find, bool) {
	end := i + len("-us")
	for end < len(b) && digit(b[end]) {
		end++
	}
	start := i
	for start > 0 && i-start < 33 && hexLower[b[start-1]] {
		start--
	}
	if end == i+len("-us") || i-start != 32 || end < len(b) && alnum(b[end]) || !varied(b[start:i]) {
		return Find{}, false
	}
	return Find{Start: start, End: end, Value: start, Sure: true}, true
}

// registry matches the credentials of a registry, user and password in base64.
func registry(b []byte, i int) (Find, bool) {
	at := skip(b, i+len(`"auth"`), ` :"`)
	f, ok := basic(b, at-len("basic "))
	if !ok || b[at-1] != '"' {
		return Find{}, false
	}
	return f, true
}

// netrc matches the password of a machine.
func netrc(b []byte, i int) (Find, bool) {
	rest := b[i:min(len(b), i+256)]
	k := bytes.Index(rest, []byte("password "))
	if k < 1 || rest[k-1] > ' ' || !bytes.Contains(rest[:k], []byte("login ")) {
		return Find{}, false
	}
	return plainValue(b, i+k+len("password "))
}

// plainValue matches a word that looks generated.
func plainValue(b []byte, at int) (Find, bool) {
	quote := byte(0)
	if at < len(b) && (b[at] == '\'' || b[at] == '"') {
		quote, at = b[at], at+1
	}
	end := valueEnd(b, at, quote)
	if !believable(b[at:end], quote != 0) {
		return Find{}, false
	}
	return Find{Start: at, End: end, Value: at}, true
}

func option(b []byte, i int) (Find, bool) {
	return plainValue(b, i+bytes.IndexByte(b[i:], ' ')+1)
}

// userOption matches user:password behind an option.
func userOption(b []byte, i int) (Find, bool) {
	at := skip(b, i+bytes.IndexByte(b[i:], ' ')+1, `"'`)
	colon := at
	for colon < len(b) && colon-at < 64 && (alnum(b[colon]) || bytes.IndexByte([]byte("._-@+"), b[colon]) >= 0) {
		colon++
	}
	if colon == at || colon >= len(b) || b[colon] != ':' {
		return Find{}, false
	}
	return plainValue(b, colon+1)
}

// mysqlOption matches -ppassword, without a blank.
func mysqlOption(b []byte, i int) (Find, bool) {
	line := b[i:min(len(b), i+160)]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	k := bytes.Index(line, []byte(" -p"))
	if k < 0 {
		return Find{}, false
	}
	return plainValue(b, i+k+len(" -p"))
}

// cookie matches the value of a session or of a sign-in.
func cookie(b []byte, i int) (Find, bool) {
	at := i + bytes.IndexByte(b[i:], ':') + 1
	for pair := 0; pair < 8; pair++ {
		at = skip(b, at, " \t;")
		eq := at
		for eq < len(b) && eq-at < 64 && (alnum(b[eq]) || b[eq] == '_' || b[eq] == '-' || b[eq] == '.') {
			eq++
		}
		if eq >= len(b) || b[eq] != '=' {
			return Find{}, false
		}
		end := eq + 1
		for end < len(b) && end-eq < 4096 && b[end] > ' ' && b[end] != ';' && b[end] != '"' && b[end] != '\'' && b[end] != '\\' {
			end++
		}
		name := b[at:eq]
		if v := b[eq+1 : end]; len(v) >= 16 && random(v) && !harmless(v) && (containsFold(name, "ses") || containsFold(name, "sid") || containsFold(name, "auth") || containsFold(name, "tok") || containsFold(name, "jwt")) {
			return Find{Start: eq + 1, End: end, Value: eq + 1}, true
		}
		at = end
	}
	return Find{}, false
}

// phrase matches twelve words and more that open a wallet.
func phrase(b []byte, i int) (Find, bool) {
	at := i
	for at < len(b) && at-i < 40 && b[at] != ':' && b[at] != '=' {
		at++
	}
	if at >= len(b) || at-i >= 40 {
		return Find{}, false
	}
	start := skip(b, at, ":= \t\n\"'`\\")
	end, n := start, 0
	for at = start; at < len(b) && n < 24; n++ {
		e := at
		for e < len(b) && kindOf[b[e]] == kindLower {
			e++
		}
		if e-at < 3 || e-at > 8 || string(b[at:e]) == "the" || string(b[at:e]) == "and" || string(b[at:e]) == "for" {
			break
		}
		end = e
		at = skip(b, e, " ,\n")
		if at == e {
			n++
			break
		}
	}
	if n < 12 {
		return Find{}, false
	}
	return Find{Start: start, End: end, Value: start, Sure: true}, true
}

// americanPhone matches (555) 769-0737.
func americanPhone(b []byte, i int) (Find, bool) {
	const form = "(000) 000-0000"
	at := i
	for k := 0; k < len(form); k++ {
		if form[k] == ' ' && at < len(b) && digit(b[at]) { // the blank may be missing
			continue
		}
		if at >= len(b) || form[k] == '0' && !digit(b[at]) || form[k] != '0' && b[at] != form[k] && !(form[k] == '-' && (b[at] == ' ' || b[at] == '.')) {
			return Find{}, false
		}
		at++
	}
	if at < len(b) && alnum(b[at]) || i > 0 && alnum(b[i-1]) {
		return Find{}, false
	}
	return Find{Start: i, End: at, Value: i}, true
}

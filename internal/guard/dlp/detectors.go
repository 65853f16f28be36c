package dlp

import "bytes"

// detector knows one beginning. match is called at it and returns the find.
type detector struct {
	prefix string
	fold   bool
	class  Class
	kind   string
	next   []byte // what may follow a prefix of one byte
	label  bool   // it names what stands behind it, whatever that is
	whole  bool   // prefix and what follows are one run, and unlike any word
	number bool   // what begins is a number: see numeral
	match  func(b []byte, i int) (Find, bool)
}

// starts lists the detectors by their first byte, begins how their prefixes
// begin.
var starts, begins = func() (t [256][]detector, p beginnings) {
	add := func(c byte, d detector, seconds []byte) {
		t[c] = append(t[c], d)
		p.add(c, d, seconds)
	}
	for _, d := range table() {
		c := d.prefix[0]
		add(c, d, seconds(d))
		if d.fold && 'a' <= c && c <= 'z' {
			add(c&^0x20, d, seconds(d))
		}
	}
	for c := byte('0'); c <= '9'; c++ {
		for _, d := range numbers {
			add(c, d, []byte("0123456789"))
		}
	}
	return t, p
}()

// seconds are the bytes that may follow the first of a prefix.
func seconds(d detector) []byte {
	if len(d.prefix) == 1 {
		return d.next
	}
	c := d.prefix[1]
	if d.fold && 'a' <= c && c <= 'z' {
		return []byte{c, c &^ 0x20}
	}
	return []byte{c}
}

// numbers are tried at every digit.
var numbers = []detector{
	{class: Secret, kind: "telegram", number: true, match: telegram},
	{class: Personal, kind: "card", number: true, match: card},
	{class: Personal, kind: "ssn", number: true, match: bareSSN},
}

func token(prefix, kind, alphabet string, least, most int) detector {
	a := set(alphabet)
	return detector{prefix: prefix, class: Secret, kind: kind, whole: true, match: func(b []byte, i int) (Find, bool) {
		if len(prefix) <= 3 && i > 0 && (b[i-1] == '-' || b[i-1] == '_') { // the middle of something else
			return Find{}, false
		}
		f, ok := run(b, i, len(prefix), a, least, most)
		if !ok {
			return odd(b, i, prefix, a, least, most)
		}
		return f, ok
	}}
}

// signed leaves the id of a key in a signed address, which works for its hour
// and tells nothing else.
func signed(d detector) detector {
	match := d.match
	d.match = func(b []byte, i int) (Find, bool) {
		if bytes.HasSuffix(b[:i], []byte("X-Amz-Credential=")) {
			return Find{}, false
		}
		return match(b, i)
	}
	return d
}

const (
	word   = "az AZ 09 _"
	dashed = "az AZ 09 _ -"
	lower  = "af 09"
	base64 = "az AZ 09 + / = _ -"
)

func table() []detector {
	d := []detector{
		signed(token("AKIA", "aws_id", "AZ 09", 16, 16)), signed(token("ASIA", "aws_id", "AZ 09", 16, 16)), signed(token("ABIA", "aws_id", "AZ 09", 16, 16)),
		token("github_pat_", "github", word, 30, 120), token("ghp_", "github", word, 30, 60), token("gho_", "github", word, 30, 60),
		token("ghu_", "github", word, 30, 60), token("ghs_", "github", word, 30, 60), token("ghr_", "github", word, 30, 90),
		token("glpat-", "gitlab", dashed, 18, 64), token("gldt-", "gitlab", dashed, 18, 64), token("glrt-", "gitlab", dashed, 18, 64),
		token("glptt-", "gitlab", dashed, 18, 64), token("glcbt-", "gitlab", dashed, 18, 64), token("glsoat-", "gitlab", dashed, 18, 64),
		token("xoxb-", "slack", dashed, 20, 200), token("xoxp-", "slack", dashed, 20, 200), token("xoxa-", "slack", dashed, 20, 200),
		token("xoxr-", "slack", dashed, 20, 200), token("xoxs-", "slack", dashed, 20, 200), token("xoxe", "slack", dashed+" .", 20, 300), token("xapp-", "slack", dashed, 20, 200),
		token("sk-ant-", "anthropic", dashed, 20, 200), token("sk-proj-", "openai", dashed, 20, 250), token("sk-svcacct-", "openai", dashed, 20, 250),
		token("sk-or-", "openrouter", dashed, 20, 120), token("sk-lf-", "langfuse", dashed, 20, 80), token("sk-", "openai", dashed, 20, 200), token("gsk_", "groq", word, 30, 80), token("xai-", "xai", word, 40, 120), token("pplx-", "perplexity", word, 32, 80), token("r8_", "replicate", word, 30, 60), token("fw_", "fireworks", word, 20, 60),
		token("sk_live_", "stripe", word, 16, 120), token("sk_test_", "stripe", word, 16, 120), token("rk_live_", "stripe", word, 16, 120), token("rk_test_", "stripe", word, 16, 120), token("whsec_", "stripe", word+" + / =", 24, 80),
		token("AIza", "google", dashed, 35, 35), token("GOCSPX-", "google", dashed, 20, 60), token("ya29.", "google", dashed+" .", 20, 400), token("1//0", "google", dashed, 30, 200),
		token("hf_", "huggingface", "az AZ 09", 30, 60), token("api_org_", "huggingface", "az AZ 09", 30, 60),
		token("npm_", "npm", "az AZ 09", 30, 60), token("pypi-", "pypi", dashed, 50, 260), token("rubygems_", "rubygems", lower, 40, 60), token("dckr_pat_", "docker", dashed, 20, 60), token("dckr_oat_", "docker", dashed, 20, 60),
		token("SG.", "sendgrid", dashed+" .", 50, 90), token("key-", "mailgun", lower, 32, 32), token("re_", "resend", word, 24, 60), token("xkeysib-", "brevo", dashed, 60, 100),
		token("shpat_", "shopify", "az AZ 09", 30, 40), token("shpca_", "shopify", "az AZ 09", 30, 40), token("shppa_", "shopify", "az AZ 09", 30, 40), token("shpss_", "shopify", "az AZ 09", 30, 40),
		token("dop_v1_", "digitalocean", lower, 60, 70), token("doo_v1_", "digitalocean", lower, 60, 70), token("dor_v1_", "digitalocean", lower, 60, 70), token("dapi", "databricks", lower+" -", 32, 40),
		token("hvs.", "vault", dashed, 20, 260), token("hvb.", "vault", dashed, 20, 260), {prefix: "s.", class: Secret, kind: "vault", match: oldVault},
		token("SK", "twilio", lower, 32, 32), token("AC", "twilio", lower, 32, 32), token("SQ0", "square", dashed, 22, 60), token("sq0", "square", dashed, 22, 60), token("EAAA", "square", dashed, 50, 200),
		token("lin_api_", "linear", word, 30, 60), token("ntn_", "notion", word, 30, 60), token("secret_", "notion", "az AZ 09", 40, 50), token("figd_", "figma", dashed, 30, 60), token("pat-na1-", "hubspot", dashed, 30, 60), token("NRAK-", "newrelic", "AZ 09", 20, 40), token("glsa_", "grafana", word, 30, 60), token("sntrys_", "sentry", base64, 40, 260), token("dp.pt.", "doppler", word, 30, 60), token("pul-", "pulumi", lower, 40, 40), token("tskey-", "tailscale", dashed, 20, 90), token("fly", "fly", word+" - = + /", 60, 800), token("dwk_", "durward", word, 16, 120), token("AGE-SECRET-KEY-1", "age", "AZ 09", 50, 70), token("PMAK-", "postman", dashed, 40, 80), token("atlasv1.", "terraform", dashed, 40, 120), token("ATATT3", "atlassian", dashed+" =", 40, 260), token("CCIPAT_", "circleci", word, 30, 90), token("sbp_", "supabase", lower, 40, 40), token("nfp_", "netlify", word, 30, 60), token("vercel_", "vercel", word, 20, 60), token("ops_ey", "onepassword", base64, 60, 2000), token("EAACEdEose0cBA", "facebook", word, 20, 300),
		{prefix: "eyJ", class: Secret, kind: "jwt", whole: true, match: jwt},
		{prefix: "-----BEGIN ", class: Secret, kind: "key", match: pem},
		{prefix: "PuTTY-User-Key-File", class: Secret, kind: "key", match: putty},
		{prefix: "https://hooks.slack.com/", class: Secret, kind: "slack_hook", match: hook},
		{prefix: "https://discord.com/api/webhooks/", class: Secret, kind: "discord_hook", match: hook},
		{prefix: "https://discordapp.com/api/webhooks/", class: Secret, kind: "discord_hook", match: hook},
		{prefix: "https://outlook.office.com/webhook/", class: Secret, kind: "teams_hook", match: hook},
		{prefix: "defaultendpointsprotocol=", fold: true, class: Secret, kind: "azure", match: azure},
		{prefix: "accountkey=", fold: true, class: Secret, kind: "azure", match: assigned},
		{prefix: "sharedaccesskey=", fold: true, class: Secret, kind: "azure", match: assigned},
		{prefix: "sig=", class: Secret, kind: "azure_sas", match: signature},
		{prefix: "\"type\"", class: Secret, kind: "gcp", match: serviceAccount},
		{prefix: "[secret:", match: issued},
		{prefix: "[pii:", match: issued},
		{prefix: "\\\"type", class: Secret, kind: "gcp", match: quotedAccount},
		{prefix: "authorization", fold: true, class: Secret, kind: kindValue, label: true, match: authorization},
		{prefix: "bearer ", fold: true, class: Secret, kind: kindValue, label: true, match: bearer},
		{prefix: "basic ", fold: true, class: Secret, kind: "basic", label: true, match: basic},
		{prefix: "passport", fold: true, class: Personal, kind: "travel_id", match: passport},
		{prefix: "ssn", fold: true, class: Personal, kind: "ssn", match: labelledSSN},
		{prefix: "social security", fold: true, class: Personal, kind: "ssn", match: labelledSSN},
		{prefix: "phone", fold: true, class: Personal, kind: "tel", match: labelledPhone},
		{prefix: "mobile", fold: true, class: Personal, kind: "tel", match: labelledPhone},
		{prefix: "tel", fold: true, class: Personal, kind: "tel", match: labelledPhone},
		{prefix: "cell", fold: true, class: Personal, kind: "tel", match: labelledPhone},
		{prefix: "+", class: Personal, kind: "tel", next: bytesOf("09"), match: phone},
		{prefix: "iban", fold: true, class: Personal, kind: "account", match: labelledIBAN},
		{prefix: "tax id", fold: true, class: Personal, kind: "tax", match: labelledTax},
	}
	d = append(d, rarer()...)
	for _, l := range idLabels {
		d = append(d, detector{prefix: l, fold: true, class: Personal, kind: "id", match: labelledID})
	}
	for _, k := range keywords {
		d = append(d, detector{prefix: k, fold: true, class: Secret, kind: kindValue, label: true, match: assignment(len(k))})
	}
	d = append(d, detector{prefix: "@", class: Personal, kind: "mails", next: bytesOf("az AZ 09"), match: mails})
	for c := 'A'; c <= 'Z'; c++ {
		d = append(d, detector{prefix: string(c), class: Personal, kind: "account", next: bytesOf("AZ"), match: iban})
	}
	for _, c := range "MNO" { // what the identifiers of bots begin with
		d = append(d, detector{prefix: string(c), class: Secret, kind: "discord", next: bytesOf("az AZ 09"), match: discord})
	}
	for _, s := range schemes {
		d = append(d, detector{prefix: s, fold: true, class: Secret, kind: kindURL, label: true, match: userinfo(len(s))})
	}
	return d
}

var idLabels = []string{"driver", "driving licen", "national insurance", "nino", "aadhaar", "sin:", "sin number", "mrn", "nhs", "medical record", "medicare", "tin:", "ein:", "vat number", "pan:", "national id", "identity card", "dni:", "cpf", "steuer", "insurance number", "date of birth", "dob", "born:", "routing number", "account number", "sort code", "ahv"}

var schemes = []string{"postgres://", "postgresql://", "mysql://", "mongodb://", "mongodb+srv://", "redis://", "rediss://", "amqp://", "amqps://", "mssql://", "sqlserver://", "ftp://", "sftp://", "ssh://", "https://", "http://", "smtp://", "smtps://", "ldap://", "clickhouse://", "cloudinary://", "rabbitmq://", "nats://", "kafka://", "jdbc:", "mariadb://", "cockroachdb://"}

var keywords = []string{
	"password", "passwd", "passphrase", "pwd", "secret_access_key", "secret_key", "secretkey", "secret", "client_secret", "api_key", "api-key", "apikey", "api_token",
	"access_key", "accesskey", "access_token", "auth_token", "authtoken", "refresh_token", "private_key", "signing_key", "encryption_key", "token", "credential", "kennwort", "passwort", "contraseña", "contrasena", "mot_de_passe", "mot de passe", "wachtwoord", "senha", "aws_secret_access_key", "aws_session_token", "_authtoken",
	"database_url", "db_pass", "db_password", "session_key", "webhook_secret", "x-api-key",
	"api key", "api token", "access key", "access token", "auth token", "secret key", "private-key", "privatekey", "api_secret", "apisecret", "app_key", "app_secret", "application_key", "consumer_secret", "access_secret", "auth_key", "authkey", "admin_key", "service_key", "server_key", "master_key", "write_key",
	"pgpassword", "mysql_pwd", "dbpassword", "dbpass", "passcode", "jsessionid", "sessionid", "phpsessid",
}

// What a value is called that only its label tells: the same whatever the
// label is, and none of the text that is replaced.
const (
	kindValue = "value"
	kindURL   = "url"
)

// bytesOf lists the bytes of an alphabet.
func bytesOf(s string) []byte {
	a := set(s)
	var out []byte
	for c, in := range a {
		if in {
			out = append(out, byte(c))
		}
	}
	return out
}

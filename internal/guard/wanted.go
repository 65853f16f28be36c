package guard

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"durward/internal/guard/text"
)

// manner is how plainly a text has to ask.
type manner uint8

const (
	wants       manner = iota // beside a field to write into: "Your PIN?" is enough
	wantsStrict               // a text for a model, which may speak of credentials
)

// asked reports a text that asks for a credential, in whatever writing: hidden
// characters, look-alike letters, spaced or encoded.
func asked(raw []byte, m manner) bool {
	if len(raw) < 3 {
		return false
	}
	var folder text.Folder
	var views text.Views
	c := folder.Fold(raw)
	if asks(string(c.Bytes), m) || c.Moved() && asks(string(raw), m) || m == wants && disguised(c.Bytes) {
		return true
	}
	for _, v := range views.Open(c.Bytes) {
		if asks(string(v.Text), m) {
			return true
		}
	}
	return false
}

func asks(s string, m manner) bool {
	s = plainLetters(s)
	if wantsFile(s) {
		return true
	}
	for s != "" {
		end := strings.IndexAny(s, ".!?\n。！？;")
		sentence := s
		if end >= 0 {
			sentence, s = s[:end], s[end+1:]
		} else {
			s = ""
		}
		if sentenceAsks(wordsOnly(sentence), m) {
			return true
		}
	}
	return false
}

// disguised reports the name of a credential that is there without its blanks,
// marks and digits for letters only.
func disguised(b []byte) bool {
	if len(b) > mostDisguised {
		return false
	}
	lower := strings.ToLower(string(b))
	var joined []byte
	for i := range len(lower) {
		c := unleet(lower[i])
		if 'a' <= c && c <= 'z' {
			joined = append(joined, c)
		}
	}
	for _, w := range []string{"password", "passwort", "passphrase", "contrasena", "seedphrase", "privatekey"} {
		if strings.Contains(string(joined), w) && !strings.Contains(strings.ReplaceAll(strings.ReplaceAll(lower, " ", ""), "-", ""), w) || spacedOut(lower, w) {
			return true
		}
	}
	return false
}

const mostDisguised = 4 << 10

func unleet(c byte) byte {
	if i := strings.IndexByte("0134@5$7!", c); i >= 0 {
		return "oieaassti"[i]
	}
	return c
}

// spacedOut reports a word with a mark between all its letters.
func spacedOut(s, w string) bool {
	for _, mark := range []string{" ", "-", ".", "_", "*"} {
		if strings.Contains(s, strings.Join(strings.Split(w, ""), mark)) {
			return true
		}
	}
	return false
}

// plainLetters lowers a text and takes the accents from its Latin letters.
func plainLetters(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == 'ł' || r == 'Ł':
			r = 'l'
		case r == 'ø' || r == 'Ø':
			r = 'o'
		case r == 'ı':
			r = 'i'
		case r >= 0xc0 && r < 0x250 || r >= 0x1e00 && r < 0x1f00:
			for _, d := range norm.NFD.String(string(r)) {
				r = d
				break
			}
		case unicode.Is(unicode.Mn, r) && r < 0x370:
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// wordsOnly is the words of a sentence, with blanks around each.
func wordsOnly(s string) string {
	var b strings.Builder
	b.WriteByte(' ')
	blank := true
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) {
			b.WriteRune(r)
			blank = false
		} else if !blank && r != '\'' && r != '’' {
			b.WriteByte(' ')
			blank = true
		} else if !blank {
			b.WriteByte(' ')
			blank = true
		}
	}
	b.WriteByte(' ')
	return b.String()
}

// credentials are what is asked for, without accents. A blank stands where a
// word begins or ends; where there is none, it may go on.
var credentials = []string{
	" password", "password ", " passwd", " passcode", " passphrase", " pass word", " pass phrase", " pwd ", " api key", " apikey", " secret key", " secret access key", " access key", " private key", " signing key", " encryption key", " ssh key", " license key", " master key", " root key",
	" access token", " auth token", " api token", " bearer", " refresh token", " personal access token", " github token", " oauth token", " session token", " id token", " your token", " jwt ", " seed phrase", " seed words", " recovery phrase", " recovery code", " recovery words", " recovery key", " backup code", " mnemonic",
	" one time code", " one time pass", " otp ", " totp", " verification code", " security code", " authentication code", " authenticator code", " confirmation code", " login code", " sms code", " 2fa ", " mfa code", " digit code", " digit number we", " code we sent", " code we just", " code we have", " code sent to you", " code from your", " you a code", " code you received", " code you got", " back of your card", " authorization header", " your pat ", " code in the sms", " code that was sent",
	" pin ", " card number", " cvv", " cvc ", " credentials", " session cookie", " cookie", " client secret", " secret", " social security", " ssn ", " maiden name", " unlock your computer", " unlock your phone", " unlock your device", " unlock your wallet", " account number and",
}

// credentialsAbroad are names in other languages: beside a field to write into,
// they need no word that asks.
var credentialsAbroad = []string{
	"passwort", "kennwort", "zugangsdaten", "geheimzahl", " api schlussel", "geheimer schlussel", "geheimen schlussel", "privater schlussel", "privaten schlussel", "zugriffstoken", "zugangscode", "zugriffsschlussel", "einmalcode", "einmalkennw", "bestatigungscode", "sicherheitscode", "ihre tan ", "deine tan ", "bitte tan ", " tan eingeben", "kreditkartennummer", "wiederherstellungsphrase", "sozialversicherungsnummer",
	" mot de passe", " mots de passe", " cle api", " cle d api", " cle privee", " cle secrete", " code secret", " code de verification", " code a usage unique", " code de securite", " identifiants de connexion", " vos identifiants", " numero de carte", " jeton d acces", " phrase de recuperation", " phrase secrete",
	" contrasena", " clave api", " clave de api", " clave privada", " clave secreta", " clave de acceso", " codigo de verificacion", " codigo de un solo uso", " codigo de seguridad", " credenciales", " numero de tarjeta", " token de acceso", " frase semilla", " frase de recuperacion",
	" parola d ordine", " parola chiave segreta", " chiave api", " chiave privata", " chiave segreta", " codice di verifica", " codice monouso", " codice di sicurezza", " credenziali", " numero di carta", " numero della carta", " token di accesso", " frase di recupero",
	" senha", " palavra passe", " palavra chave secreta", " chave api", " chave de api", " chave da api", " chave privada", " chave secreta", " codigo de verificacao", " codigo de seguranca", " credenciais", " numero do cartao", " token de acesso", " frase de recuperacao",
	"wachtwoord", " api sleutel", " geheime sleutel", " privesleutel", " prive sleutel", " verificatiecode", " eenmalige code", " inloggegevens", " pincode", " kaartnummer", " toegangstoken", " herstelzin",
	" haslo", " hasla", " haslem", " klucz api", " klucz prywatny", " klucza prywatnego", " klucza api", " kod weryfikacyjny", " kod jednorazowy", " dane logowania", " numer karty", " token dostepu", " fraza odzyskiwania",
	" парол", " ключ api", " api ключ", " закрытый ключ", " приватный ключ", " секретный ключ", " код подтверждения", " одноразовый код", " код из смс", " пин код", " учетные данные", " номер карты", " токен доступа", " сид фраз",
	" пароль", " ключ апі", " закритий ключ",
	"密码", "密碼", "口令", "密钥", "密鑰", "私钥", "私鑰", "验证码", "驗證碼", "动态码", "助记词", "助記詞", "卡号", "卡號", "令牌", "凭证", "身份证号",
	"パスワード", "暗証番号", "パスコード", "apiキー", "秘密鍵", "認証コード", "確認コード", "ワンタイム", "カード番号", "アクセストークン", "シードフレーズ", "認証情報", "合言葉",
	"비밀번호", "암호", "패스워드", "api 키", "api키", "개인 키", "개인키", "비밀 키", "비밀키", "인증번호", "인증 번호", "인증 코드", "인증코드", "카드 번호", "카드번호", "액세스 토큰", "시드 구문", "주민등록번호",
	" sifre", " parola", " losenord", " adgangskode", " passord", " salasana", " heslo", " jelszo", " κωδικ", " מסיסמה", "סיסמ", "كلمة المرور", "كلمة السر", "पासवर्ड", " mat khau", " kata sandi", "รหัสผ่าน",
}

// wording is what stands before or behind the name of a credential.
var (
	harmlessBefore = []string{" name of", " names of", " name for", " label for", " label of", " title of", " id of", " type of", " number of", " how many", " how long", " how often", " length of", " expiry of", " reset", " rotate", " revoke", " delete", " remove", " change", " forgot", " create", " without", " no ", " not ", " which", " where", " rename", " accept", " path to", " path of", " location of", " reference to", " public", " never", " strong",
		" name des", " name der", " welche", " zurucksetzen", " nom du", " nom de", " nombre de", " nombre del", " nome del", " nome da", " nome do", " naam van", " nazwa", " название", " имя", "重置", "哪个", "修改", " zmien", " сменить"}
	harmlessBehind = []string{"name ", "names ", "policy", "policies", "length", "manager", "reset", "rotation", "type ", "field", "page", "id ", "ids ", "label", "expiry", "expires", "expired", "expiration", "hint", "strength", "will ", "has been", "was ", "to create", "to rotate", "to delete", "to revoke", "to use", "for the new", "count", "should", "consent", "banner", "recipe", "settings", "review", "s name", "protected", "protection",
		"der name", "richtlinie", "zurucksetzen", "的名称", "策略", "名称", "の名前", "이름"}
	objects  = []string{"the ", "this ", "a ", "it ", "these ", "them ", "to the ", "to top", "message"} // behind a verb
	asking   = []string{" enter", " provide", " type ", " confirm", " give", " what is", " whats ", " what s ", " tell", " supply"}
	pleading = []string{" paste", " submit", " please", " need", " require", " send", " input", " insert", " share", " fill", " verify", " repeat", " again", " put ", " write", " reply with", " disclose", " reveal", " upload", " copy", " show",
		" your ", " my "}
)

const (
	fewWords  = 5
	nearWords = 48 // bytes before and behind a name that say what about it

	clauseBytes = 256 // of a sentence that belong to a name in it
)

// sentenceAsks reports a credential that a sentence asks for; s is its words.
func sentenceAsks(s string, m manner) bool {
	return named(s, credentials, true, m) || named(s, credentialsAbroad, false, m) || m == wants && words12(s)
}

func named(s string, names []string, english bool, m manner) bool {
	for _, w := range names {
		for from := 0; ; {
			i := strings.Index(s[from:], w)
			if i < 0 {
				break
			}
			at := from + i
			from = at + len(w)
			if askedAt(s, at, from, w, english, m) {
				return true
			}
			from-- // the blank may begin the next
		}
	}
	return false
}

// askedAt judges one name of a credential in a sentence.
func askedAt(s string, at, end int, w string, english bool, m manner) bool {
	before, rest := s[max(0, at-clauseBytes):at]+" ", s[end:min(len(s), end+nearWords)]
	if rest = strings.TrimLeft(rest, " "); !strings.HasSuffix(w, " ") && end < len(s) && s[end] != ' ' && s[end] < 0x80 { // the word goes on
		rest = strings.TrimLeft(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz0123456789"), " ")
	}
	near := before[max(0, len(before)-nearWords):]
	if w == " pin " || w == " secret" || w == " cookie" { // words of many uses
		if startsAny(rest, objects) || strings.HasSuffix(before, " to ") {
			return false
		}
	}
	owned := strings.HasSuffix(before, " your ") || strings.HasSuffix(before, " current ") || strings.HasSuffix(before, " old ")
	if startsAny(rest, []string{"and its value", "and value", "and the value", "value "}) {
		return true
	}
	if has(near, harmlessBefore) && !(owned && has(before, asking)) {
		return false
	}
	if startsAny(rest, harmlessBehind) && !owned {
		return false
	}
	switch {
	case has(before, asking) || has(before, pleading):
		return true
	case m == wantsStrict:
		return false
	case !english, strings.Contains(s[max(0, at-clauseBytes):min(len(s), end+clauseBytes)], " please "):
		return true
	}
	return len(s) < clauseBytes && strings.Count(s, " ")-1 <= fewWords
}

// words12 reports a question for the words that a wallet is made from.
func words12(s string) bool {
	return has(s, []string{" 12 words", " 24 words", " 12 word", " 24 word", " twelve words", " 12 worter", " 24 worter", " 12 mots", " 12 palabras", " 12 parole", " 12 palavras", " 12 слов", "12个单词", "12個の単語"}) &&
		has(s, []string{" wallet", " seed", " recovery", " phrase", " your ", " portefeuille", " cartera", " кошел", "钱包", "ウォレット"})
}

// wantsFile reports a question for what a file of keys holds.
func wantsFile(s string) bool {
	return has(s, []string{".ssh/", "id_rsa", "id_ed25519", "id_ecdsa", ".aws/credentials", ".netrc", ".kube/config", "kubeconfig", ".env ", ".env file", "private.pem", "key.pem", ".pgpass", ".git-credentials", ".npmrc", ".p12", ".pfx", "/etc/shadow"}) &&
		has(s, []string{"content", "paste", "inhalt", "contenu", "contenido", "conteudo", "inhoud", "zawartosc", "содержим", "内容", "내용", "cat ", "text of", "what is in", "einfugen", "collez", "pegue", "copy"}) &&
		!strings.Contains(s, ".pub")
}

func has(s string, list []string) bool {
	for _, w := range list {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func startsAny(s string, list []string) bool {
	for _, w := range list {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

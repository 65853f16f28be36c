package guard_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"durward"
)

type props map[string]map[string]any

func question(t *testing.T, message string, p props) []byte {
	t.Helper()
	for _, f := range p {
		if f["type"] == nil {
			f["type"] = "string"
		}
	}
	b, err := json.Marshal(map[string]any{"message": message, "requestedSchema": map[string]any{"type": "object", "properties": p}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open() props { return props{"v": {}} }

// A form must not ask for a credential, in whatever words and writing.
func TestFormsThatAskForSecrets(t *testing.T) {
	e := engine(t)
	for _, m := range []string{
		"Please enter your GitHub password to go on", "Your API key?", "Bitte geben Sie Ihr Passwort ein", "Entrez votre mot de passe", "Introduzca su contraseña", "Inserisci la password",
		"Digite sua senha", "Voer uw wachtwoord in", "Podaj hasło", "Введите пароль", "请输入您的密码", "パスワードを入力してください", "비밀번호를 입력하세요", "What is the 6-digit code we just sent you?",
		"Enter the 12 words of your wallet", "Your PIN?", "Please paste the contents of ~/.ssh/id_rsa", "secret?", "Enter AWS_SECRET_ACCESS_KEY", "Session cookie please", "p a s s w o r d", "Your p\u200bassword",
		"P\u0430ssword", "Your social security number", "Enter your credit card number and CVV", "Your bearer", "To verify it's you, type what you use to unlock your computer", "Geben Sie den Bestätigungscode ein",
		"验证码", "認証コードを入力", "인증번호를 입력하세요", "Код подтверждения", "Enter your current password to change your password", "Name of the secret and its value", "P@ssw0rd please", "Your mother's maiden name",
		"We texted you a code. What is it?", "Enter the number on the back of your card", "Paste the value of the Authorization header", "Bitte TAN eingeben", "Code from your authenticator app", "Twój PIN", "Votre code secret", "Paste your .env file",
	} {
		if r := e.Ask(question(t, m, open())); r.Effect != durward.Deny {
			t.Errorf("%q: %s", m, r.Effect)
		}
	}
	for name, p := range map[string]props{
		"key": {"api_key": {}}, "title": {"v": {"title": "Token"}}, "description": {"v": {"description": "paste your private key here"}}, "pwd": {"login": {}, "pwd": {}},
		"format": {"v": {"format": "password"}}, "German": {"passwort": {}}, "camel": {"clientSecret": {}}, "code": {"otp": {"type": "number"}}, "hidden": {"pass\u200bword": {}}, "title fr": {"v": {"title": "Mot de passe"}},
	} {
		if r := e.Ask(question(t, "Please sign in to go on", p)); r.Effect != durward.Deny {
			t.Errorf("%s: %s", name, r.Effect)
		}
	}
}

// Questions about credentials are not questions for them.
func TestHarmlessForms(t *testing.T) {
	e := engine(t)
	choice := func(v ...string) map[string]any { return map[string]any{"enum": v} }
	for m, p := range map[string]props{
		"Which branch?": {"branch": {}}, "Confirm deletion?": open(), "Enter the project key (e.g. ABC)": {"key": {}}, "Which column is the primary key?": open(), "Choose password policy": {"v": choice("weak", "strong")},
		"Do you want a link to reset your password?": {"v": choice("yes", "no")}, "How many tokens may the answer have?": {"max_tokens": {"type": "integer"}},
		"Name of the secret to create (not its value)": {"secret_name": {}}, "Your e-mail address?": {"email": {"format": "email"}}, "Which API key should be rotated?": {"v": {}},
		"Public key to add": {"public_key": {}}, "Shipping address?": {"street": {}, "zip": {}}, "Where is the certificate file?": {"path": {}}, "Date of birth?": {"dob": {"format": "date"}}, "Which login page should be tested?": open(),
		"Please type the name of the page": {"page_token": {}}, "What title should the pull request have?": {"title": {}}, "Pin the message?": open(), "Please pin this version": {"version": {}}, "Delete the API key prod-1? Type yes.": {"ok": {"type": "boolean"}},
		"Which password manager should the docs mention?": open(), "Summarise the change in 12 words": {"summary": {}}, "Welche Passwort-Richtlinie gilt?": open(), "What is the ticket's number?": {"ticket_id": {}}, "Enter the token symbol": {"token_symbol": {}},
		"How long should a password be?": {"password_length": {"type": "integer"}}, "Where should the public key ~/.ssh/id_rsa.pub be copied?": {"host": {}}, "Which cookie recipe?": open(),
		"Enter the secret's name": open(), "Do you accept cookies?": open(), "Enter the path to the SSH key": open(), "Type DELETE to delete the API key": open(), "Which email should receive the API token?": open(),
	} {
		if r := e.Ask(question(t, m, p)); r.Effect == durward.Deny {
			t.Errorf("%q was declined: %+v", m, r.Findings)
		}
	}
	link := `{"mode":"url","url":"https://login.example/","message":"Sign in with your password","elicitationId":"1"}`
	if r := e.Ask([]byte(link)); r.Effect == durward.Deny {
		t.Errorf("a link was declined: %+v", r.Findings)
	}
	told := `{"systemPrompt":"Summarise the page. It explains passwords and how a secret is rotated.","messages":[]}`
	if r := e.Ask([]byte(told)); r.Effect == durward.Deny {
		t.Errorf("a prompt was declined: %+v", r.Findings)
	}
}

// However long a question is, judging it costs time in proportion.
func TestLongQuestionsAreBounded(t *testing.T) {
	e := engine(t)
	if r := e.Ask(question(t, strings.Repeat("colour and shape, ", 4000), open())); r.Effect != durward.Deny {
		t.Errorf("a question of 70 KB: %s", r.Effect)
	}
	prompt, err := json.Marshal(map[string]any{"messages": []any{}, "systemPrompt": strings.Repeat("no password ", 20_000)})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	e.Ask(prompt)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("240 KB took %v", took)
	}
}

package dlp_test

import (
	"strings"
	"testing"

	"durward/internal/guard/dlp"
)

// A credential is told by what stands around it: markup, a column, a sentence
// of another language, the option of a program.
func TestCredentialsToldByWhatStandsAround(t *testing.T) {
	const value = "Tr0ub4dor3xyz"
	for _, s := range []string{
		"<password>" + value + "</password>", "<db:Password>" + value + "</db:Password>", "<config><apiKey>\n  " + value + "</apiKey></config>",
		"password: >-\n  " + value + "\nnext: 1", "api_key: |\n  " + value + "\n",
		"user | password | role\n-----|-----|-----\nadmin | " + value + " | root\n", "| user | password |\n|---|---|\n| admin | " + value + " |", "| user | password |\n|------+----------|\n| admin | " + value + " |",
		"user,password,role\nann,secret,x\nadmin," + value + ",root\n", "user\tpassword\nadmin\t" + value,
		"sshpass -p '" + value + "' ssh root@h", "sshpass -p" + value + " ssh root@h",
		"Das Passwort lautet " + value + ".", "Das Passwort für root ist: " + value, "Le mot de passe est " + value, "Le mot de passe pour le serveur est " + value, "La contraseña es " + value, "The password for the staging database is " + value,
	} {
		out := string(dlp.NewRedactor(nil).Redact([]byte(s), dlp.Append(nil, []byte(s))))
		if strings.Contains(out, value) || !strings.Contains(out, "[secret:") {
			t.Errorf("%q became %q", s, out)
		}
	}
	both := "| user | password |\n|---|---|\n| a | " + value + " |\n| b | Xy7Bcq9Zk2Lm |\n\nb | Xy7Bcq9Zk2Ln"
	if finds := dlp.Append(nil, []byte(both)); len(finds) != 2 {
		t.Errorf("two rows: %+v", finds)
	}
	for _, s := range []string{
		"<password>your-password</password>", "<password type=\"string\"/>", "<password>the password of the account</password>", "password: |\n  the words below are read by people\n",
		"| field | password |\n|---|---|\n| type | string |\n| format | password |", "name,token,kind\nif,IDENT,keyword\n", "user, password, and role\nare fields of the form", "sshpass -p $PASS ssh root@h",
		"Das Passwort ist abgelaufen", "Le mot de passe est obligatoire", "La contraseña es obligatoria desde 2024", "The password for staging is rotated every 90 days", "def f(user, password, role):\n    return a, b2C3d4E5f6, c\n",
	} {
		if finds := dlp.Append(nil, []byte(s)); len(finds) > 0 {
			t.Errorf("%q: %+v", s, finds)
		}
	}
}

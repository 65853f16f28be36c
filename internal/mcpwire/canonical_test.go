package mcpwire_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"durward/internal/mcpwire"
)

func canonical(t *testing.T, v string) string {
	t.Helper()
	out, err := mcpwire.AppendCanonical(nil, []byte(v))
	if err != nil {
		t.Fatalf("AppendCanonical(%s) = %v", v, err)
	}
	if same, err := mcpwire.Canonical(nil, []byte(v)); err != nil || string(same) != string(out) {
		t.Errorf("Canonical(%s) = %s, %v; AppendCanonical says %s", v, same, err, out)
	}
	return string(out)
}

func TestCanonicalIsTheValueItselfWhereItCan(t *testing.T) {
	for _, v := range []string{
		`{"a":1,"aa":[true,null,"x y"],"b":{"text":"` + strings.Repeat("long ", 100) + `é€"}}`, `{}`, `[]`, `[[],{}]`, `"x"`, `12.5`, `-1`, `0`,
	} {
		value := []byte(v)
		out, err := mcpwire.Canonical(nil, value)
		if err != nil || &out[0] != &value[0] || len(out) != len(value) {
			t.Errorf("Canonical(%.60s) = %.60s, %v; want the value itself", v, out, err)
		}
	}
}

func TestCanonicalNumbersAreThoseOfRFC8785(t *testing.T) {
	for bits, want := range map[uint64]string{ // appendix B
		0x0000000000000000: "0",
		0x8000000000000000: "0",
		0x0000000000000001: "5e-324",
		0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308",
		0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992",
		0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22",
		0x44b52d02c7e14af6: "1e+23",
		0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000",
		0x444b1ae4d6e2ef4f: "999999999999999900000",
		0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332",
		0x41b3de4355555554: "333333333.33333325",
		0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		f := math.Float64frombits(bits)
		for _, format := range []byte{'e', 'g'} {
			text := strconv.FormatFloat(f, format, 17, 64)
			if got := canonical(t, text); got != want {
				t.Errorf("canonical form of %s = %s, want %s", text, got, want)
			}
		}
	}
}

// encoding/json writes doubles as ECMAScript does.
func TestCanonicalNumbersAgreeWithEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		text := strconv.FormatFloat(r.NormFloat64()*math.Pow10(r.IntN(16)-8), 'f', r.IntN(10), 64)
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(f + 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := canonical(t, text); got != string(want) && f != 0 {
			t.Fatalf("canonical form of %s = %s, want %s", text, got, want)
		}
	}
}

func TestCanonicalForm(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"white space goes":               {" { \"a\" : [ 1 , true ,\tnull ] }\n", `{"a":[1,true,null]}`},
		"keys are sorted at every depth": {`{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}`, `{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}`},
		"keys sort by UTF-16 units": {
			`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`,
			"{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		},
		"a prefix sorts first":          {`{"aa":1,"a":2,"":3}`, `{"":3,"a":2,"aa":1}`},
		"escaped keys sort decoded":     {`{"b":1,"\u0022":2,"a":3}`, `{"\"":2,"a":3,"b":1}`},
		"escapes become the shortest":   {`"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"`, `"€$\u000f\nA'B\"\\\\\"/"`},
		"a surrogate pair is decoded":   {`"\ud83d\ude00"`, `"😀"`},
		"DEL and U+2028 stay raw":       {`"\u007f\u2028"`, "\"\u007f\u2028\""},
		"short decimals":                {`[0.1,-12.5,1.10,100.25,0.000001,0.0000011,0.0000001,123456789.12345,-0.5,10,100]`, `[0.1,-12.5,1.1,100.25,0.000001,0.0000011,1e-7,123456789.12345,-0.5,10,100]`},
		"1.0 is 1":                      {`[1.0,1e0,10e-1,-0,-0.0]`, `[1,1,1,0,0]`},
		"large integers become doubles": {`12345678901234567890`, `12345678901234567000`},
		"empty containers":              {`{"b":{},"a":[ ]}`, `{"a":[],"b":{}}`},
		"many keys": {
			`{"q":1,"p":1,"o":1,"n":1,"m":1,"l":1,"k":1,"j":1,"i":1,"h":1,"g":1,"f":1,"e":1,"d":1,"c":1,"b":1,"a":1}`,
			`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := canonical(t, tc.in)
			if got != tc.want {
				t.Errorf("canonical form of %s = %s, want %s", tc.in, got, tc.want)
			}
			if again := canonical(t, got); again != got {
				t.Errorf("canonical form of the canonical %s = %s", got, again)
			}
		})
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for name, v := range map[string]string{
		"a number beyond a double": `1e400`,
		"a lone surrogate":         `"\ud800"`,
		"equal keys out of order":  `{"b":1,"a":1,"b":2}`,
		"equal keys in order":      `{"a":1,"a":2}`,
		"equal keys, one escaped":  `{"a":1,"\u0061":2}`,
		"nothing":                  ``,
		"half an object":           `{"a":1`,
		"two values":               `1 2`,
		"no JSON":                  `nope`,
		"too deep":                 deep(600),
	} {
		t.Run(name, func(t *testing.T) {
			dst := []byte("kept")
			out, err := mcpwire.AppendCanonical(dst, []byte(v))
			if err == nil {
				t.Fatalf("AppendCanonical(%s) = %s, want an error", v, out)
			}
			if string(out) != "kept" {
				t.Errorf("AppendCanonical(%s) left %q in dst", v, out)
			}
			if out, err := mcpwire.Canonical(nil, []byte(v)); err == nil {
				t.Errorf("Canonical(%s) = %s, want an error", v, out)
			}
		})
	}
}

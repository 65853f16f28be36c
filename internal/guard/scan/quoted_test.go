package scan_test

import (
	"bytes"
	"strings"
	"testing"

	"durward/internal/guard/scan"
)

func TestWhatIsNoTextIsNotShown(t *testing.T) {
	var out bytes.Buffer
	sink := scan.Human(&out, nil)
	s := scan.New(engine(t), sink)
	raw := []byte("hello \U000e0041\U000e0042 \xffyou " + strings.Repeat("\xff\xfe\x01", 30))
	if err := s.Document("image.png", raw); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `seen  hello \u{tags: AB} \u{fffd}you [90 that are no text]`) {
		t.Errorf("the report shows bytes that are no text:\n%s", out.String())
	}
}

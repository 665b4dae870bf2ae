package holdfast_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)<!-- (\\w+) -->\n```go\n(.*?)\n```").FindStringSubmatch(string(readme))
	if shown == nil {
		t.Fatal("README.md has no marked example")
	}
	body := regexp.MustCompile(`(?s)func ` + shown[1] + `\(\) \{\n(.*?)\n\}`).FindStringSubmatch(string(source))
	if body == nil || strings.ReplaceAll(body[1], "\n\t", "\n")[1:] != shown[2] {
		t.Errorf("README.md differs from %s", shown[1])
	}
}

package tokens

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/collector/extension/extensiontest"
)

const (
	shop = "t_aaaaaaaaaaaaaaaaaaaaa"
	web  = "t_bbbbbbbbbbbbbbbbbbbbb"
)

// start runs the extension on a file with these contents.
func start(t *testing.T, contents string) (extensionauth.Server, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens")
	write(t, file, contents)
	factory := NewFactory()
	settings := extensiontest.NewNopSettings(factory.Type())
	made, err := factory.Create(context.Background(), settings, &Config{File: file, Scheme: "LumigoToken"})
	if err != nil {
		t.Fatal(err)
	}
	run(t, made)
	return made.(extensionauth.Server), file
}

func run(t *testing.T, made extension.Extension) {
	t.Helper()
	if err := made.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Shutdown(context.Background()) })
}

func write(t *testing.T, file, contents string) {
	t.Helper()
	if err := os.WriteFile(file+".next", []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".next", file); err != nil {
		t.Fatal(err)
	}
}

func ask(server extensionauth.Server, headers map[string][]string) error {
	_, err := server.Authenticate(context.Background(), headers)
	return err
}

func authorization(values ...string) map[string][]string {
	return map[string][]string{"Authorization": values}
}

func TestAListedTokenIsLetInWhateverTheCaseOfHeaderAndScheme(t *testing.T) {
	server, _ := start(t, shop+"\n"+web+"\n")
	for _, headers := range []map[string][]string{
		authorization("LumigoToken " + shop),
		{"authorization": {"lumigotoken " + web}},
	} {
		if err := ask(server, headers); err != nil {
			t.Errorf("%v: %v", headers, err)
		}
	}
}

func TestWhatIsNotListedIsRefusedWithoutBeingNamed(t *testing.T) {
	// The file ends in a newline and has an empty line: neither is a token.
	server, _ := start(t, shop+"\n\n")
	for _, headers := range []map[string][]string{
		{},
		{"Authorization": {}},
		authorization(""),
		authorization("LumigoToken"),
		authorization("LumigoToken "),
		authorization("LumigoToken  "),
		authorization(shop),
		authorization("Bearer " + shop),
		authorization("LumigoToken " + web),
		authorization("LumigoToken " + strings.ToUpper(shop)),
		authorization("LumigoToken " + shop + " "),
		authorization("LumigoToken "+shop, "LumigoToken "+web),
		{"Authorization": {"LumigoToken " + shop}, "authorization": {"LumigoToken " + web}},
	} {
		err := ask(server, headers)
		if err == nil {
			t.Errorf("%v was let in", headers)
		} else if strings.Contains(err.Error(), "t_") {
			t.Errorf("%v is named: %v", headers, err)
		}
	}
}

func TestAnEmptyOrMissingFileLetsNobodyIn(t *testing.T) {
	server, _ := start(t, "")
	missing := &authenticator{file: filepath.Join(t.TempDir(), "none"), scheme: "LumigoToken"}
	made, err := NewFactory().Create(context.Background(), extensiontest.NewNopSettings(NewFactory().Type()), &Config{File: missing.file, Scheme: missing.scheme})
	if err != nil {
		t.Fatal(err)
	}
	run(t, made)
	for _, server := range []extensionauth.Server{server, made.(extensionauth.Server)} {
		for _, token := range []string{"", shop} {
			if ask(server, authorization("LumigoToken "+token)) == nil {
				t.Errorf("%q was let in", token)
			}
		}
	}
}

func TestAChangeOfTheFileIsTakenOverWithoutARestart(t *testing.T) {
	server, file := start(t, shop+"\n")
	write(t, file, web+"\n")
	deadline := time.Now().Add(10 * time.Second)
	for ask(server, authorization("LumigoToken "+web)) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the new token is still refused")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if ask(server, authorization("LumigoToken "+shop)) == nil {
		t.Error("a token that is no longer listed was let in")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * pollInterval)
	if err := ask(server, authorization("LumigoToken "+web)); err != nil {
		t.Errorf("what the file held last no longer counts: %v", err)
	}
}

func TestAConfigurationWithoutFileOrSchemeIsRefused(t *testing.T) {
	for _, config := range []Config{{}, {File: "a"}, {Scheme: "b"}} {
		if config.Validate() == nil {
			t.Errorf("%+v was accepted", config)
		}
	}
}

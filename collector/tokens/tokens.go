// Package tokens admits requests to the Collector by a list of tokens in a file.
//
// The published authenticator for this, bearertokenauth, names the refused token in its answer, admits an empty one where its
// file ends in a newline, and learns of a change by inotify alone, which does not tell of every volume's. This one reads the file
// again twice a second, names no token to anybody, and counts what it refuses.
package tokens

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// pollInterval is how often the file is read.
const pollInterval = 500 * time.Millisecond

// What a client is told. None of these says anything that it did not know, nor anything of what it sent.
var (
	errMissing   = errors.New("no token: an Authorization header is required")
	errMalformed = errors.New("the Authorization header is not of the scheme that is served here, or there are several")
	errUnknown   = errors.New("the token is not one that is relayed here")
)

// admitted are the digests of the tokens, so that neither the time of a lookup nor a dump of memory tells of one.
type admitted map[[sha256.Size]byte]struct{}

type authenticator struct {
	file     string
	scheme   string
	logger   *zap.Logger
	rejected metric.Int64Counter
	current  atomic.Pointer[admitted]
	// What the file held when it was read last; written by poll alone.
	held []byte
	// Whether it was said that the file cannot be read; written by poll alone.
	told bool
	stop context.CancelFunc
	done sync.WaitGroup
}

var _ extensionauth.Server = (*authenticator)(nil)

// Start reads the file and goes on doing so. A file that is not there yet admits nobody, and stops nothing.
func (a *authenticator) Start(context.Context, component.Host) error {
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.poll()
	a.done.Go(func() {
		ticks := time.NewTicker(pollInterval)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				a.poll()
			}
		}
	})
	return nil
}

// Shutdown ends the reading.
func (a *authenticator) Shutdown(context.Context) error {
	if a.stop != nil {
		a.stop()
	}
	a.done.Wait()
	return nil
}

// poll takes over what the file holds. While it cannot be read, what it held last counts.
func (a *authenticator) poll() {
	contents, err := os.ReadFile(a.file)
	if err != nil {
		if !a.told {
			a.logger.Warn("cannot read the list of tokens; what it held last counts", zap.Error(err))
			a.told = true
		}
		return
	}
	a.told = false
	if a.current.Load() != nil && bytes.Equal(contents, a.held) {
		return
	}
	tokens := parse(contents)
	a.current.Store(&tokens)
	a.held = contents
	a.logger.Info("took over the list of tokens", zap.Int("tokens", len(tokens)))
}

// parse reads one token from each line; an empty line is none.
func parse(contents []byte) admitted {
	tokens := admitted{}
	for line := range bytes.Lines(contents) {
		if token := bytes.TrimSpace(line); len(token) > 0 {
			tokens[sha256.Sum256(token)] = struct{}{}
		}
	}
	return tokens
}

// Authenticate lets a request in that has one token of the list.
func (a *authenticator) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	err := a.check(headers)
	if err != nil {
		a.rejected.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason(err))))
	}
	return ctx, err
}

func (a *authenticator) check(headers map[string][]string) error {
	var values []string
	for name, sent := range headers {
		if strings.EqualFold(name, "authorization") {
			values = append(values, sent...)
		}
	}
	switch len(values) {
	case 0:
		return errMissing
	case 1:
	default:
		// The exporter could not tell which of them to send on.
		return errMalformed
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, a.scheme) {
		return errMalformed
	}
	if token == "" {
		return errMissing
	}
	if tokens := a.current.Load(); tokens != nil {
		if _, known := (*tokens)[sha256.Sum256([]byte(token))]; known {
			return nil
		}
	}
	return errUnknown
}

// reason is the label under which a refusal is counted.
func reason(err error) string {
	switch {
	case errors.Is(err, errMissing):
		return "missing"
	case errors.Is(err, errMalformed):
		return "malformed"
	default:
		return "unknown"
	}
}
